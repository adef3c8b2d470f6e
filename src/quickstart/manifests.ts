import {readdir, readFile} from 'node:fs/promises';
import {join} from 'node:path';
import {parseAllDocuments} from 'yaml';
import type {KubeObject} from '../cluster/object.ts';
import {PraError} from '../errors.ts';
import {storedObjectSchema} from '../repository/stored-object.ts';
import {packageRoot} from '../std/paths.ts';

export const quickstartDir = () => join(packageRoot(), 'plans', 'quickstart');

/** The objects of the sample shop, in the order of their files. */
export async function shopObjects(): Promise<KubeObject[]> {
  const dir = join(quickstartDir(), 'manifests');
  const files = (await readdir(dir)).filter(name => name.endsWith('.yaml')).sort();
  const objects: KubeObject[] = [];
  for (const name of files) {
    for (const document of parseAllDocuments(await readFile(join(dir, name), 'utf8'))) {
      const parsed = storedObjectSchema.safeParse(document.toJS());
      if (!parsed.success)
        throw new PraError('BUG', `${name} of the quickstart holds something that is no Kubernetes object`);
      objects.push(parsed.data);
    }
  }
  return objects;
}
