import {z} from 'zod';
import {duration, jsonValue, modes, name, namespacedName, secretRef} from './field.ts';

const health = z.strictObject({groups: z.array(name).optional().describe('All groups when it is not given')});

const k8s = z.strictObject({
  apiVersion: z.string().optional(),
  kind: z.string(),
  namespace: z.string().optional(),
  name: z.string().optional(),
  selector: z.string().optional(),
  expect: z.union([
    z.enum(['present', 'absent']),
    z.strictObject({
      count: z.strictObject({min: z.int().optional(), max: z.int().optional(), equals: z.int().optional()}),
    }),
    z.strictObject({jsonPath: z.string().describe('Such as .spec.suspend'), equals: jsonValue}),
  ]),
});

const http = z.strictObject({
  service: namespacedName,
  port: z.union([z.int().min(1).max(65535), z.string()]),
  path: z.string().startsWith('/').default('/'),
  scheme: z.enum(['http', 'https']).default('http'),
  expect: z
    .strictObject({
      status: z.int().min(100).max(599).default(200),
      bodyIncludes: z.string().optional(),
      json: z
        .strictObject({path: z.string(), equals: jsonValue.optional()})
        .optional()
        .describe('A value of a JSON answer; compared with `equals` or the baseline'),
    })
    .default({status: 200}),
});

const tcp = z.strictObject({service: namespacedName, port: z.union([z.int().min(1).max(65535), z.string()])});

const exec = z.strictObject({
  namespace: z.string(),
  selector: z.string(),
  container: z.string().optional(),
  command: z.array(z.string()).min(1),
  expect: z
    .strictObject({exitCode: z.int().default(0), stdoutIncludes: z.string().optional()})
    .default({exitCode: 0}),
});

const sql = z.strictObject({secretRef, query: z.string().min(1)});

const policy = z.strictObject({
  interval: duration.default(2000),
  successes: z.int().min(1).default(1).describe('Passes in a row that are needed'),
  failureLimit: z.int().min(1).default(3).describe('Failures that make the probe fail'),
  errorLimit: z
    .int()
    .min(1)
    .default(5)
    .describe('Errors that make it inconclusive: a probe that errs has not failed'),
  timeout: duration.default(120_000),
});

export const PROBE_KINDS = [
  'health',
  'k8s',
  'http',
  'tcp',
  'exec',
  'job',
  'sql',
  'checksum',
  'canary',
  'promql',
  'helmTest',
  'script',
] as const;

export const probe = z
  .strictObject({
    name,
    proves: z.enum(['processUp', 'dataPresent', 'dataCurrent', 'functionWorks']),
    required: z.boolean().default(true),
    modes: modes.optional(),
    health: health.optional(),
    k8s: k8s.optional(),
    http: http.optional(),
    tcp: tcp.optional(),
    exec: exec.optional(),
    job: z.looseObject({}).optional(),
    sql: sql.optional(),
    checksum: z.looseObject({}).optional(),
    canary: z.strictObject({}).optional(),
    promql: z.looseObject({}).optional(),
    helmTest: z.looseObject({}).optional(),
    script: z.looseObject({}).optional(),
    compare: z
      .union([
        z.strictObject({
          baseline: z.literal('snapshot'),
          tolerance: z.union([z.number().min(0), z.string().regex(/^\d+(\.\d+)?%$/)]).default(0),
        }),
        z.strictObject({equals: jsonValue}),
      ])
      .optional()
      .describe('What the answer is compared with: the value measured at the snapshot, or a fixed one'),
    policy: policy.prefault({}),
  })
  .refine(value => PROBE_KINDS.filter(kind => value[kind] !== undefined).length === 1, {
    message: `a probe has exactly one of ${PROBE_KINDS.join(', ')}`,
  });
