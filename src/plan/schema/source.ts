import {z} from 'zod';
import {dump} from './dump.ts';
import {
  evenIfWrong,
  kind,
  name,
  nameOrGlob,
  objectName,
  positiveDuration,
  secretRef,
  selector,
  selectorText,
} from './field.ts';
import {bytesQuantity} from './mover.ts';

const kubeconfig = z.strictObject({
  context: z.string().min(1).optional().describe('Context of the kubeconfig; the current one by default'),
  path: z
    .string()
    .min(1)
    .optional()
    .describe('Path of the kubeconfig, from the folder of the plan; KUBECONFIG or ~/.kube/config by default'),
});

const include = z.strictObject({
  namespaces: z.array(nameOrGlob).min(1).describe('Namespaces whose objects are taken'),
  clusterScoped: z
    .enum(['referenced', 'all', 'none'])
    .default('referenced')
    .describe('Cluster-scoped objects: those that the namespaces refer to, all, or none'),
  kinds: z.array(kind).optional().describe('Only these kinds; all by default'),
  names: z
    .array(objectName)
    .optional()
    .describe('Only objects with these names; a name with a kind before it concerns only that kind'),
  selector: selectorText.optional().describe('Only objects with these labels'),
});

const exclude = z.strictObject({
  namespaces: z.array(nameOrGlob).optional().describe('Namespaces that are left out'),
  kinds: z.array(kind).optional().describe('Kinds that are left out'),
  names: z.array(objectName).optional().describe('Objects with these names are left out'),
  selector: selectorText.optional().describe('Objects with these labels are left out'),
});

const hook = z.strictObject({
  name: name.describe('Name in reports'),
  select: selector.describe('Pods in the namespaces of the plan; it runs in all that run'),
  container: z.string().optional().describe('Container of the pod; the first one by default'),
  pre: z
    .array(z.string())
    .optional()
    .describe('Command before baselines are measured and data and objects read'),
  post: z
    .array(z.string())
    .optional()
    .describe('Command after it, in the reverse order; runs also when something failed'),
  timeout: positiveDuration.prefault('30s').describe('How long each command may take'),
  onError: z
    .enum(['fail', 'continue'])
    .default('fail')
    .describe('Whether its failure, or that no pod runs, fails the snapshot'),
});

const csi = z.strictObject({
  snapshotClass: name
    .optional()
    .describe("VolumeSnapshotClass; the default one of the volume's driver, or its only one, by default"),
  timeout: positiveDuration
    .prefault('10m')
    .describe('How long the storage system may take for a snapshot, and then for a volume made of it'),
  keep: z.boolean().default(false).describe('Whether the VolumeSnapshot stays in the source'),
});

const user = z.strictObject({
  uid: z.int().min(1).describe('User; root needs no name'),
  gid: z.int().min(0).optional().describe('Group'),
});

const volume = z
  .strictObject({
    select: selector
      .optional()
      .describe('Labels of the pods that mount the volumes, or of the claims; any by default'),
    namespaces: z
      .array(nameOrGlob)
      .min(1)
      .optional()
      .describe('Namespaces of the pods; all of the plan by default'),
    storageClasses: z.array(nameOrGlob).min(1).optional().describe('Storage classes of the claims'),
    drivers: z.array(nameOrGlob).min(1).optional().describe('CSI drivers of the volumes'),
    size: z
      .strictObject({
        min: bytesQuantity('Smallest').optional(),
        max: bytesQuantity('Largest').optional(),
      })
      .optional()
      .describe('Size of the volumes'),
    method: z
      .enum(['csi', 'filesystem', 'dump', 'none'])
      .describe('How the data is saved: by CSI snapshots, file by file, by a dump, or not at all'),
    dump: dump.optional().describe('How method dump saves and brings back: a preset, or commands'),
    csi: csi.optional().describe('How the snapshots of method csi are taken'),
    user: user
      .optional()
      .describe('Who may read and write the files, where the pods that mount them do not say it'),
    reason: z.string().min(1).optional().describe('Why method none is right; goes into the evidence'),
  })
  .refine(value => value.method !== 'dump' || value.dump !== undefined, {
    ...evenIfWrong,
    error: 'method dump needs `dump` with a preset or commands',
    path: ['dump'],
  })
  .refine(value => value.method === 'dump' || value.dump === undefined, {
    error: '`dump` is only for method dump',
    path: ['dump'],
  })
  .refine(value => value.user === undefined || value.method === 'csi' || value.method === 'filesystem', {
    error: '`user` is only for methods csi and filesystem',
    path: ['user'],
  })
  .refine(value => value.method === 'csi' || value.csi === undefined, {
    error: '`csi` is only for method csi',
    path: ['csi'],
  })
  .refine(
    ({method, select, storageClasses, drivers, size}) =>
      method !== 'none' || [select, storageClasses, drivers, size].some(part => part !== undefined),
    {
      ...evenIfWrong,
      error:
        'method none lets data come back empty, so it names which: by `select`, `storageClasses`, `drivers` or `size`',
      path: ['method'],
    },
  )
  .refine(value => value.method !== 'none' || value.reason !== undefined, {
    ...evenIfWrong,
    error: 'method none lets the data come back empty, so it needs a `reason`',
    path: ['reason'],
  });

const canary = z.strictObject({
  namespace: name.describe('Namespace of the ConfigMap pra-canary, which holds the nonce'),
  rotate: z.literal('everySnapshot').describe('When a new nonce is written'),
  sql: z
    .strictObject({
      secretRef: secretRef.describe(
        'Secret with the DSN of a PostgreSQL database; its key is dsn by default',
      ),
    })
    .optional()
    .describe('Writes the nonce into the table pra_canary too, so that it proves data and not only objects'),
});

/** What is protected, and how. */
export const source = z.strictObject({
  kubeconfig: kubeconfig.default({}).describe('How the source cluster is reached'),
  clusterUID: z
    .string()
    .min(1)
    .optional()
    .describe('UID of the namespace kube-system of the source; no drill ever restores into it'),
  include: include.describe('What is taken into a snapshot'),
  exclude: exclude.optional().describe('What is left out of it'),
  hooks: z.array(hook).optional().describe('Commands in pods around the snapshot'),
  volumes: z
    .array(volume)
    .default([])
    .describe('How the data of volumes is saved; the first rule that fits counts'),
  canary: canary
    .optional()
    .describe('A nonce written before each snapshot; shows that a recovery is not of an old one'),
});
