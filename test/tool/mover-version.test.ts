import {createHash} from 'node:crypto';
import {readdir, readFile} from 'node:fs/promises';
import {join} from 'node:path';
import {expect, test} from 'vitest';
import {packageRoot} from '../../src/std/paths.ts';
import {MOVER} from '../../src/tool/catalogue.ts';

test('the version of the agent in movers is that of its sources', async () => {
  const folder = join(packageRoot(), 'terraform/local/binaries/mover');
  const files = (await readdir(folder)).filter(file => /\.go$|^go\.(mod|sum)$/.test(file)).sort();
  const hash = createHash('sha256');
  for (const file of files) hash.update(`${file}\n`).update(await readFile(join(folder, file)));
  expect(files).toContain('main.go');
  expect(MOVER, 'MOVER in src/tool/catalogue.ts').toMatch(
    new RegExp(`^\\d+-${hash.digest('hex').slice(0, 8)}$`),
  );
});
