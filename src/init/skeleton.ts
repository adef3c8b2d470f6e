import type {Json, JsonObject} from '../std/json.ts';
import {type ClusterFacts, type DsnFact, workloadKey} from './facts.ts';
import {planGroups} from './groups.ts';
import {planProbes} from './probes.ts';
import {planVolumes, type SavedDatabase, type VolumeRules} from './volumes.ts';
import {type Item, type Note, notesOf, renderYaml} from './yaml.ts';

export interface Skeleton {
  /** The plan as YAML with comments. */
  text: string;
  databases: {workload: string; database: string}[];
  /** What a person must decide before the plan is valid. */
  questions: string[];
}

/** Writes the plan that fits a cluster as far as it is known; what is not known is a question in it. */
export function writeSkeleton(
  facts: ClusterFacts,
  options: {name: string; context?: string | undefined},
): Skeleton {
  const volumes = planVolumes(facts);
  const canary = planCanary(facts, volumes.saved);
  const groups = planGroups(facts);
  const probes = planProbes({facts, saved: volumes.saved, hasCanary: canary !== undefined});
  const provesData = probes.some(
    ({value}) => value.proves !== 'processUp' && value.proves !== 'functionWorks',
  );
  const questions = [...volumes.questions, ...(provesData ? [] : ['no probe proves that data came back'])];
  const spec = {
    scenario: 'loss of the cluster',
    objectives: {rto: '1h', rpo: '24h'},
    source: sourceOf(facts, volumes, canary, options.context),
    repository: {url: `file:///var/lib/pra/${options.name}`},
    recoveryPoint: {policy: 'fresh'},
    target: {terraform: {dir: 'terraform/local', vars: {node: 'kubelet', isolated: true}}},
    groups: groups.map(({value}) => value),
    probes: probes.map(({value}) => value),
    finally: [{name: 'logs', collect: ['events', 'podLogs']}],
    cleanup: {destroy: 'always', verifyEmpty: true},
    evidence: {formats: ['json', 'html', 'junit']},
  };
  const plan = {apiVersion: 'pra/v1', kind: 'Plan', metadata: {name: options.name}, spec};
  const notes = [
    ...fixedNotes(facts, volumes, provesData),
    ...notesOf(['spec', 'source', 'volumes'], volumes.rules),
    ...notesOf(['spec', 'probes'], probes),
    {path: ['spec', 'source', 'canary'], lines: canary?.lines ?? []},
  ];
  const databases = volumes.saved.map(({workload, database}) => ({
    workload: workloadKey(workload),
    database,
  }));
  return {text: renderYaml(plan, notes, headerOf(facts, questions)), databases, questions};
}

function sourceOf(
  {clusterUID, scope, remadeKinds}: ClusterFacts,
  {rules}: VolumeRules,
  canary: Item | undefined,
  context: string | undefined,
): JsonObject {
  const exclude: JsonObject = {
    ...(scope.exclude.length === 0 ? {} : {namespaces: [...scope.exclude]}),
    ...(remadeKinds.length === 0 ? {} : {kinds: [...remadeKinds]}),
  };
  return {
    ...(context === undefined ? {} : {kubeconfig: {context}}),
    clusterUID,
    include: {namespaces: [...scope.include], clusterScoped: 'referenced'},
    ...(Object.keys(exclude).length === 0 ? {} : {exclude}),
    volumes: rules.map(({value}) => value),
    ...(canary ? {canary: canary.value} : {}),
  };
}

/** A canary in a database that is saved; without any volumes in the objects alone. */
function planCanary({dsns, claims, scope}: ClusterFacts, saved: readonly SavedDatabase[]): Item | undefined {
  const isSaved = ({workload}: DsnFact) => saved.some(one => workloadKey(one.workload) === workload);
  const dsn = dsns.find(isSaved);
  const about = 'A nonce that each snapshot writes into the source first: a ConfigMap pra-canary';
  if (dsn) {
    const {namespace, secretRef, database} = dsn;
    return {
      value: {namespace, rotate: 'everySnapshot', sql: {secretRef}},
      lines: [
        `${about}, and in ${database} a`,
        'table pra_canary, which the user of the DSN must be allowed to make.',
      ],
    };
  }
  const [namespace] = scope.names;
  if (claims.length > 0 || namespace === undefined) return undefined;
  const value: Json = {namespace, rotate: 'everySnapshot'};
  return {value, lines: [`${about}.`]};
}

function fixedNotes({scope}: ClusterFacts, {questions}: VolumeRules, provesData: boolean): Note[] {
  const isGlob = scope.include.some(name => /[*?]/.test(name));
  const left =
    scope.leftOut.length === 0 ? [] : [`Left out as parts of the cluster: ${scope.leftOut.join(', ')}.`];
  return [
    {path: ['spec', 'scenario'], lines: ['The disaster that this plan is for.']},
    {
      path: ['spec', 'objectives'],
      lines: [
        'How long a recovery may take, and how old what it brings back may be. These are examples:',
        'agree on them with the business.',
      ],
    },
    {
      path: ['spec', 'source', 'clusterUID'],
      lines: ['UID of kube-system: no drill ever restores into this cluster.'],
    },
    {
      path: ['spec', 'source', 'include'],
      lines: [...left, ...(isGlob ? ['Namespaces that are made later need a group too.'] : [])],
    },
    {path: ['spec', 'source', 'volumes'], lines: questions.length === 0 ? [] : VOLUME_HELP},
    {path: ['spec', 'repository'], lines: REPOSITORY_HELP},
    {path: ['spec', 'target'], lines: TARGET_HELP},
    {
      path: ['spec', 'groups'],
      lines: ['What starts together and after what. This order is a guess: databases first.'],
    },
    {path: ['spec', 'probes'], lines: [...PROBE_HELP, ...(provesData ? [] : PROOF_HELP)]},
  ];
}

const VOLUME_HELP = [
  'Rules without a `method` are questions: `pra plan validate` refuses the plan until each is answered.',
  '  method: dump  with `dump`: a `preset`, or a `command` that writes the data to stdout and a `restore` that reads it',
  '  method: csi  the storage system takes a snapshot, whose files are saved: for CSI drivers that can',
  '  method: filesystem  the files are read while the application goes on: with `hooks` that keep it still, or files that do not change',
  '  method: none  with a `reason`: the volume comes back empty; the reason goes into the evidence',
];
const REPOSITORY_HELP = [
  'A folder is for trying out: it is lost with its machine. For S3:',
  '  url: s3://bucket/prefix',
  '  region: eu-west-3',
  '  endpoint: https://s3.example.com  # other than AWS; pathStyle: true where names of buckets are paths',
  'Credentials are found as AWS tools find them. The passphrase comes from PRA_PASSPHRASE_FILE.',
];
const TARGET_HELP = [
  'A cluster on this machine, without a way out: it pulls no images, so list archives of them (docker save) as',
  '  vars: {images: [/path/of/shop.tar]}',
  'or name a Terraform module of your own: docs/reference/target-contract.md says what it must give.',
];
const PROBE_HELP = [
  'What proves that the recovery worked. Pages that need the data prove more than those that only answer:',
  'with `expect.json` and `compare` an http probe sees what the data is.',
];
const PROOF_HELP = [
  'No probe proves that data came back, and `pra plan validate` refuses the plan until one does:',
  'add one with `proves: dataPresent`, for example sql or exec (`pra plan explain spec.probes`).',
];

function headerOf({unread}: ClusterFacts, questions: readonly string[]): string[] {
  const open =
    questions.length === 0
      ? ['Nothing is open, but read it whole: it is made of what can be seen from outside.']
      : ['Open:', ...questions.map(question => `- ${question}`)];
  return [
    'Written by `pra init`. What every field means: pra plan explain spec',
    ...open,
    ...unread.map(sentence => `${sentence}.`),
    'Next: pra plan validate, pra plan explain, pra snapshot create, pra drill run',
  ];
}
