import {z} from 'zod';
import {duration, jsonValue, modes, name} from './field.ts';

export const repository = z.strictObject({
  url: z
    .string()
    .regex(/^(file:\/\/\/|s3:\/\/[^/]+)/, 'must be file:///path or s3://bucket/prefix')
    .describe('Where snapshots are kept'),
  endpoint: z.url().optional().describe('S3 endpoint other than that of AWS'),
  region: z.string().optional(),
  pathStyle: z.boolean().optional().describe('Bucket in the path instead of the host name'),
  caFile: z.string().optional().describe('PEM file of the authority that signed the endpoint'),
  credentials: z
    .strictObject({
      env: z.string().optional().describe('Prefix of the environment variables that hold the credentials'),
      profile: z.string().optional().describe('Profile of the AWS configuration'),
      secretRef: z.string().optional(),
    })
    .optional(),
  encryption: z
    .strictObject({recipients: z.array(z.string()).optional(), kms: z.string().optional()})
    .optional(),
  lock: z.strictObject({mode: z.enum(['governance', 'compliance']), days: z.int().min(1)}).optional(),
});

export const recoveryPoint = z.strictObject({
  policy: z
    .enum(['fresh', 'latest', 'random', 'at', 'id'])
    .describe(
      'fresh takes a new snapshot first; latest uses the newest there is; random and at pick one of the window; id names one',
    ),
  id: z.string().optional(),
  at: z.iso.datetime().optional(),
  window: duration.optional(),
});

export const target = z.strictObject({
  terraform: z.strictObject({
    dir: z
      .string()
      .min(1)
      .describe('Folder of the module, from the folder of the plan; terraform/local is the built-in one'),
    vars: z.record(z.string(), jsonValue).default({}),
    varFile: z.string().optional(),
    ttl: duration.optional().describe('Time to live of the target, enforced from outside'),
  }),
  requires: z
    .strictObject({
      kubernetes: z.string().optional().describe('Version range, such as >=1.30'),
      storageClasses: z
        .record(z.string(), z.string())
        .optional()
        .describe('Storage class of the source to that of the target'),
    })
    .optional(),
});

export const isolation = z.strictObject({
  profile: z.enum(['bubble']).default('bubble').describe('bubble: nothing gets out'),
  egressAllow: z.array(z.string()).optional(),
  waive: z
    .array(
      z.strictObject({
        guard: z.union([z.int(), z.string()]),
        name: z.string().min(1),
        reason: z.string().min(1),
      }),
    )
    .default([])
    .describe('Guards that are off; each is in the evidence with its reason'),
});

const patchOperation = z.strictObject({
  op: z.enum(['add', 'remove', 'replace', 'move', 'copy', 'test']),
  path: z.string().regex(/^(\/|$)/, 'must be a JSON pointer'),
  from: z.string().optional(),
  value: jsonValue.optional(),
});

export const transform = z.strictObject({
  name: z.string().optional(),
  match: z.strictObject({
    group: z.string().optional(),
    kind: z.string().optional(),
    namespace: z.string().optional(),
    name: z.string().optional(),
    selector: z.string().optional(),
  }),
  patch: z.array(patchOperation).min(1).describe('JSON patch, RFC 6902'),
  modes: modes.optional(),
});

const manual = z.strictObject({
  text: z.string(),
  approvers: z.array(z.string()).min(1),
  timeout: duration.optional(),
});

const step = z
  .strictObject({
    name,
    run: z
      .union([z.string().min(1), z.array(z.string()).min(1)])
      .optional()
      .describe('A zx script (.mjs, .ts) or a command with its arguments'),
    manual: manual.optional().describe('Something that a person does and approves'),
    timeout: duration.optional(),
    retries: z.int().min(0).max(10).optional(),
    modes: modes.optional(),
  })
  .refine(value => (value.run === undefined) !== (value.manual === undefined), {
    message: 'a step has either `run` or `manual`',
  });

export const group = z.strictObject({
  name,
  dependsOn: z.array(name).default([]).describe('Groups that must be healthy before this one starts'),
  select: z.strictObject({
    namespaces: z.array(z.string()).min(1).optional(),
    selector: z.string().optional(),
  }),
  rto: duration.optional().describe('How long the group may take to get healthy'),
  maxParallel: z.int().min(1).optional(),
  onFailure: z.enum(['stop', 'continue', 'pause']).default('stop'),
  steps: z.array(step).optional(),
});
