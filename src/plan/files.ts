import {stat} from 'node:fs/promises';
import type {Mistake} from './check.ts';
import type {Plan} from './schema.ts';

/** Files and folders that the plan names and that are not there. Takes a plan whose paths are absolute. */
export async function findMissingFiles({spec}: Plan): Promise<Mistake[]> {
  const {dir, varFile} = spec.target.terraform;
  const module = ['spec', 'target', 'terraform'];
  const named = [
    {file: dir, path: [...module, 'dir'], what: 'folder'},
    ...(varFile === undefined ? [] : [{file: varFile, path: [...module, 'varFile'], what: 'file'}]),
    ...(spec.repository.caFile === undefined
      ? []
      : [{file: spec.repository.caFile, path: ['spec', 'repository', 'caFile'], what: 'file'}]),
  ];
  const checked = await Promise.all(
    named.map(async ({file, path, what}) => {
      const found = await stat(file).catch(() => undefined);
      const right = what === 'folder' ? found?.isDirectory() : found?.isFile();
      return right ? [] : [{message: `there is no ${what} ${file}`, path}];
    }),
  );
  return checked.flat();
}
