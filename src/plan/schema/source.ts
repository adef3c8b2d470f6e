import {z} from 'zod';
import {duration, name, secretRef, selector} from './field.ts';

const hook = z.strictObject({
  name,
  select: selector.describe('Pods in which it runs'),
  container: z.string().optional(),
  pre: z.array(z.string()).optional().describe('Command before the snapshot'),
  post: z.array(z.string()).optional().describe('Command after it; runs in any case'),
  timeout: duration.optional(),
  onError: z.enum(['fail', 'continue']).optional(),
});

const dump = z.strictObject({
  container: z.string().optional().describe('Container in which the commands run; the first one by default'),
  command: z.array(z.string()).min(1).describe('Writes the dump to its stdout'),
  restore: z
    .array(z.string())
    .min(1)
    .describe('Reads the dump from its stdin; must fail when it is not whole'),
});

const volume = z
  .strictObject({
    select: selector.describe('Pods that mount the volumes'),
    namespaces: z.array(z.string()).min(1).optional(),
    method: z
      .enum(['csi', 'filesystem', 'dump', 'none'])
      .describe('How the data is saved; none lets it come back empty, on purpose'),
    dump: dump.optional(),
    reason: z.string().optional().describe('Why `none` is right'),
  })
  .refine(value => value.method !== 'dump' || value.dump !== undefined, {
    message: 'method dump needs `dump` with its commands',
    path: ['dump'],
  })
  .refine(value => value.method !== 'none' || Boolean(value.reason), {
    message: 'method none needs a `reason`',
    path: ['reason'],
  });

const canary = z.strictObject({
  namespace: name.describe('Namespace of the ConfigMap pra-canary'),
  rotate: z.literal('everySnapshot'),
  sql: z
    .strictObject({
      secretRef: secretRef.describe('Secret with the DSN; the nonce is written into the table pra_canary'),
    })
    .optional()
    .describe('Writes the nonce into the database too, so that it proves data and not only objects'),
});

export const source = z.strictObject({
  kubeconfig: z
    .strictObject({
      context: z.string().optional(),
      path: z.string().optional().describe('Path of the kubeconfig; KUBECONFIG or ~/.kube/config by default'),
    })
    .default({}),
  clusterUID: z
    .string()
    .optional()
    .describe('UID of the kube-system namespace of the source; no drill ever restores into it'),
  include: z.strictObject({
    namespaces: z.array(z.string().min(1)).min(1).describe('Names or globs'),
    clusterScoped: z.enum(['referenced', 'all', 'none']).default('referenced'),
    kinds: z.array(z.string()).optional(),
    selector: z.string().optional(),
  }),
  exclude: z
    .strictObject({
      namespaces: z.array(z.string()).optional(),
      kinds: z.array(z.string()).optional().describe('Such as leases.coordination.k8s.io'),
      selector: z.string().optional(),
    })
    .optional(),
  hooks: z.array(hook).optional().describe('Commands in pods around the snapshot'),
  volumes: z
    .array(volume)
    .default([])
    .describe('How the data of each volume is saved; the first rule that fits counts'),
  canary: canary.optional(),
});
