import {tmpdir} from 'node:os';
import {execa} from 'execa';
import {z} from 'zod';

const answer = z.object({Dir: z.string(), Sum: z.string()});

/**
 * The folder of a released Go module: many operators ship their manifests in theirs.
 * @param sum its checksum as go.sum writes it: a module that changed is refused
 */
export async function goModule(module: string, version: string, sum: string): Promise<string> {
  const {stdout} = await execa('go', ['mod', 'download', '-json', `${module}@${version}`], {
    cwd: tmpdir(),
    env: {GOWORK: 'off', GOFLAGS: ''},
  });
  const {Dir, Sum} = answer.parse(JSON.parse(stdout));
  if (Sum !== sum) throw new Error(`${module}@${version} is ${Sum}, not ${sum}`);
  return Dir;
}
