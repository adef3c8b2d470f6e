import {parseArgs} from 'node:util';
import {z} from 'zod';
import {CATALOGUE, messageOf, PraError} from '../errors.ts';
import {removeLocalCluster} from './down.ts';
import {listLocalClusters} from './list.ts';
import {makeLocalCluster} from './up.ts';

const USAGE = `usage: local-cluster.js up --name NAME [--node kubelet|kwok|none] [--isolated true|false] [--image TAR]...
       local-cluster.js down --name NAME
       local-cluster.js status`;

const STOPS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

const upArgs = z.object({
  name: z.string(),
  node: z.enum(['kubelet', 'kwok', 'none']),
  isolated: z.stringbool(),
  image: z.array(z.string()),
});

/**
 * What terraform/local runs: brings a local cluster up or down, or lists those that there are.
 * @returns the exit code; everything it has to say goes to `write`.
 */
export async function runLocalCommand(
  args: readonly string[],
  write: (line: string) => void,
): Promise<number> {
  const controller = new AbortController();
  const stop = () => controller.abort(new PraError('INTERRUPTED', 'stopped by a signal'));
  for (const name of STOPS) process.on(name, stop);
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
    const [command, ...others] = positionals;
    if (others.length > 0) throw new PraError('USAGE', USAGE);
    if (command === 'status') for (const line of await listLocalClusters()) write(line);
    else if (command === 'down' && values.name) await removeLocalCluster({name: values.name});
    else if (command === 'up') await up(upArgs.parse(values), controller.signal, write);
    else throw new PraError('USAGE', USAGE);
    return 0;
  } catch (error) {
    const shown = error instanceof PraError ? error : new PraError('USAGE', describe(error), {why: USAGE});
    write([`Error: ${shown.message}`, shown.why, ...shown.next].filter(text => text).join('\n'));
    return CATALOGUE[shown.code].exit;
  } finally {
    for (const name of STOPS) process.off(name, stop);
  }
}

async function up(
  wanted: z.infer<typeof upArgs>,
  signal: AbortSignal,
  write: (line: string) => void,
): Promise<void> {
  const began = performance.now();
  const cluster = await makeLocalCluster({...wanted, images: wanted.image, signal, onProgress: write});
  const seconds = ((performance.now() - began) / 1000).toFixed(1);
  write(`local cluster ${wanted.name} is up after ${seconds} s: ${cluster.kubeconfigPath}`);
}

const describe = (error: unknown) =>
  error instanceof z.ZodError
    ? error.issues.map(issue => `--${issue.path.join('.')}: ${issue.message}`).join('\n')
    : messageOf(error);
