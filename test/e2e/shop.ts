import {mkdtemp, readFile, rm, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {type Document, parseDocument} from 'yaml';
import {z} from 'zod';
import {type Cluster, connectCluster} from '../../src/cluster/client.ts';
import type {DrillRecord} from '../../src/evidence/record.ts';
import {removeLocalCluster} from '../../src/local/down.ts';
import {quickstartDir} from '../../src/quickstart/manifests.ts';
import {type Source, startSource} from '../../src/quickstart/source.ts';
import {type CliResult, runPra, startPra} from '../bed/cli.ts';
import {leftOf} from '../local/footprint.ts';

/** The quickstart's shop on a cluster of its own, and `pra` pointed at it. */
export interface ShopBed {
  dir: string;
  env: NodeJS.ProcessEnv;
  source: Source;
  cluster: Cluster;
  /** Writes a variant of the quickstart's plan. @returns its path */
  plan(change?: (document: Document) => void): Promise<string>;
  /** A kubeconfig of a new service account in the source's namespace default, which may do nothing yet. */
  kubeconfigOf(account: string): Promise<string>;
  pra(...args: string[]): Promise<CliResult>;
  drill(plan: string, ...args: string[]): Promise<DrillRun>;
  start(plan: string, ...args: string[]): ReturnType<typeof startPra>;
  recover(plan: string, ...args: string[]): ReturnType<typeof startPra>;
  stop(): Promise<void>;
}

export interface DrillRun extends CliResult {
  record: DrillRecord;
}

export async function makeShopBed(label: string): Promise<ShopBed> {
  const dir = await mkdtemp(join(tmpdir(), 'pra-e2e-'));
  process.env.PRA_STATE_DIR = dir;
  const name = `e2e-${label}-${process.pid}`;
  const passphraseFile = join(dir, 'passphrase');
  await writeFile(passphraseFile, 'correct horse battery staple\n', {mode: 0o600});
  const signal = AbortSignal.timeout(170_000);
  const source = await startSource({name, signal, onProgress: () => undefined});
  const cluster = await connectCluster({kubeconfig: source.kubeconfigPath});
  const env = {
    PRA_STATE_DIR: dir,
    PRA_PASSPHRASE_FILE: passphraseFile,
    PRA_KUBECONFIG: source.kubeconfigPath,
  };
  const images = JSON.stringify([source.images.postgres, source.images.web]);
  const runArgs = (plan: string, args: readonly string[]) => [
    'drill',
    'run',
    plan,
    '--json',
    ...(args.some(arg => arg.startsWith('images=')) ? [] : ['--var', `images=${images}`]),
    ...args,
  ];
  let plans = 0;
  return {
    dir,
    env,
    source,
    cluster,
    plan: async change => {
      const document = parseDocument(await readFile(join(quickstartDir(), 'plan.yaml'), 'utf8'));
      document.setIn(['spec', 'source', 'kubeconfig', 'context'], name);
      document.setIn(['spec', 'repository', 'url'], `file://${join(dir, 'repository')}`);
      change?.(document);
      plans += 1;
      const file = join(dir, `plan-${plans}.yaml`);
      await writeFile(file, document.toString());
      return file;
    },
    kubeconfigOf: async account => {
      const accounts = '/api/v1/namespaces/default/serviceaccounts';
      const body = {apiVersion: 'v1', kind: 'ServiceAccount', metadata: {name: account}};
      await cluster.request('POST', accounts, {body});
      const request = {apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec: {}};
      const made = await cluster.request('POST', `${accounts}/${account}/token`, {body: request});
      const token = z.object({status: z.object({token: z.string()})}).parse(made).status.token;
      const config = JSON.parse(await readFile(source.kubeconfigPath, 'utf8'));
      const file = join(dir, `${account}.kubeconfig`);
      const users = [{name: config.users[0].name, user: {token}}];
      await writeFile(file, JSON.stringify({...config, users}), {mode: 0o600});
      return file;
    },
    pra: (...args) => runPra(args, env),
    drill: async (plan, ...args) => {
      const ran = await runPra(runArgs(plan, args), env);
      return {...ran, record: JSON.parse(ran.stdout)};
    },
    start: (plan, ...args) => startPra(runArgs(plan, args), env),
    recover: (plan, ...args) => startPra(['recover', plan, '--json', ...args], env),
    stop: async () => {
      await cluster.close();
      await removeLocalCluster({name});
      delete process.env.PRA_STATE_DIR;
      await rm(dir, {recursive: true, force: true});
    },
  };
}

/** What is left on this machine of the target of a drill. */
export const leftOfDrill = (drillId: string) => leftOf(`pra-${drillId}`);
