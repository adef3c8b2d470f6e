import {parseArgs} from 'node:util';
import {z} from 'zod';
import {CATALOGUE, messageOf, PraError} from '../errors.ts';
import {removeLocalCluster} from './down.ts';
import {makeLocalCluster} from './up.ts';

const USAGE = `usage: local-cluster.js up --name NAME [--node kubelet|kwok|none] [--isolated true|false] [--image TAR]...
       local-cluster.js down --name NAME`;

const upArgs = z.object({
  name: z.string(),
  node: z.enum(['kubelet', 'kwok', 'none']),
  isolated: z.stringbool(),
  image: z.array(z.string()),
});

/**
 * What terraform/local runs: brings a local cluster up or down.
 * @returns the exit code; everything it has to say goes to `write`.
 */
export async function runLocalCommand(
  args: readonly string[],
  write: (line: string) => void,
): Promise<number> {
  const controller = new AbortController();
  const stop = () => controller.abort(new PraError('INTERRUPTED', 'stopped by a signal'));
  process.once('SIGINT', stop);
  process.once('SIGTERM', stop);
  try {
    const {positionals, values} = parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        name: {type: 'string'},
        node: {type: 'string', default: 'kubelet'},
        isolated: {type: 'string', default: 'true'},
        image: {type: 'string', multiple: true, default: []},
      },
    });
    if (positionals[0] === 'down' && values.name) {
      await removeLocalCluster({name: values.name});
      return 0;
    }
    if (positionals[0] !== 'up') throw new PraError('USAGE', USAGE);
    requireLinuxRoot();
    const wanted = upArgs.parse(values);
    const began = performance.now();
    const cluster = await makeLocalCluster({
      ...wanted,
      images: wanted.image,
      signal: controller.signal,
      onProgress: write,
    });
    write(
      `local cluster ${wanted.name} is up after ${((performance.now() - began) / 1000).toFixed(1)} s: ${cluster.kubeconfigPath}`,
    );
    return 0;
  } catch (error) {
    const shown = error instanceof PraError ? error : new PraError('USAGE', messageOf(error), {why: USAGE});
    write([`Error: ${shown.message}`, shown.why, ...shown.next].filter(text => text).join('\n'));
    return CATALOGUE[shown.code].exit;
  }
}

/** @throws PraError PLATFORM_UNSUPPORTED */
export function requireLinuxRoot(): void {
  if (process.platform === 'linux' && process.getuid?.() === 0) return;
  throw new PraError('PLATFORM_UNSUPPORTED', 'the local target needs Linux and root', {
    why:
      process.platform === 'linux'
        ? 'it makes network namespaces, mounts and cgroups'
        : `this is ${process.platform}`,
    next: [
      'use any Terraform module that meets docs/reference/target-contract.md as spec.target.terraform.dir',
    ],
  });
}
