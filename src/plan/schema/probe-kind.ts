import {z} from 'zod';
import {
  command,
  evenIfWrong,
  jsonValue,
  kind,
  name,
  namespacedName,
  port,
  positiveDuration,
  secretRef,
  selectorText,
} from './field.ts';

/** What each kind of probe asks. Names and defaults are those of the plan; how it is asked is in src/probe. */

const health = z.strictObject({
  groups: z.array(name).min(1).optional().describe('Groups whose workloads must be healthy; all by default'),
});

const count = z
  .strictObject({
    min: z.int().min(0).optional().describe('Least number'),
    max: z.int().min(0).optional().describe('Greatest number'),
    equals: z.int().min(0).optional().describe('Exact number'),
  })
  .refine(value => Object.keys(value).length > 0, {error: 'must have min, max or equals'});

const k8s = z.strictObject({
  apiVersion: z.string().min(1).optional().describe('Such as apps/v1, when the kind alone is not clear'),
  kind: kind.describe('Kind of the objects, as kubectl takes it'),
  namespace: name.optional().describe('Namespace of the objects; all by default'),
  name: z.string().min(1).optional().describe('Name of the object'),
  selector: selectorText.optional().describe('Labels of the objects'),
  expect: z
    .union([
      z.enum(['present', 'absent']),
      z.strictObject({count: count.describe('How many there are')}),
      z.strictObject({
        jsonPath: z.string().min(1).describe('Such as .spec.suspend'),
        equals: jsonValue.describe('What all of them hold there'),
      }),
    ])
    .describe('present, absent, how many, or what a field holds'),
});

const http = z
  .strictObject({
    service: namespacedName.optional().describe('Service that is asked, through the API server'),
    port: port
      .optional()
      .describe('Port of the Service by number or name; 80, or 443 with https, by default'),
    url: z
      .url({protocol: /^https?$/, error: 'must be an http or https URL'})
      .optional()
      .describe('URL that is asked directly, instead of a Service'),
    path: z
      .string()
      .startsWith('/', 'must begin with /')
      .default('/')
      .describe('Path and query, with a Service'),
    scheme: z.enum(['http', 'https']).default('http').describe('With a Service'),
    tls: z
      .strictObject({
        verify: z.boolean().default(true).describe('false takes any certificate'),
        caSecretRef: secretRef
          .optional()
          .describe('Secret with the PEM of the authority; its key is ca.crt by default'),
        serverName: z
          .string()
          .min(1)
          .optional()
          .describe('Name in the certificate; name.namespace.svc by default'),
      })
      .optional()
      .describe('How the certificate is checked, with https'),
    expect: z
      .strictObject({
        status: z.int().min(100).max(599).default(200).describe('Status'),
        bodyIncludes: z.string().min(1).optional().describe('A text that the answer contains'),
        json: z
          .strictObject({
            path: z.string().min(1).describe('Such as .orders or items[0].id'),
            equals: jsonValue.optional().describe('What it is; `compare` can say it too'),
          })
          .optional()
          .describe('A value of a JSON answer; it must be there'),
      })
      .default({status: 200})
      .describe('What the answer must be'),
  })
  .refine(value => (value.service === undefined) !== (value.url === undefined), {
    ...evenIfWrong,
    error: 'has either `service` or `url`',
  });

const tcp = z.strictObject({
  service: namespacedName.describe('Service that must take connections'),
  port: port.describe('Port of the Service by number or name'),
});

const exec = z.strictObject({
  namespace: name.describe('Namespace of the pod'),
  selector: selectorText.describe('Labels of the pod; the first one that runs is taken'),
  container: z.string().min(1).optional().describe('Container of the pod; the first one by default'),
  command: command.describe('Command and its arguments'),
  expect: z
    .strictObject({
      exitCode: z.int().min(0).max(255).default(0).describe('Exit code'),
      stdoutIncludes: z.string().min(1).optional().describe('A text that it writes'),
    })
    .default({exitCode: 0})
    .describe('How the command must end'),
});

const sql = z.strictObject({
  secretRef: secretRef.describe('Secret with the DSN of a PostgreSQL database; its key is dsn by default'),
  query: z.string().min(1).describe('One statement; it runs in a read-only transaction'),
});

const canary = z.strictObject({
  table: z
    .boolean()
    .optional()
    .describe('Whether the table pra_canary is looked at too; by default if spec.source.canary.sql is given'),
});

const job = z.strictObject({
  namespace: name.describe('Namespace of the Job'),
  image: z.string().min(1).describe('Image'),
  command: command.describe('Command and its arguments; exit code 0 is a pass'),
  serviceAccount: z.string().optional().describe('Service account'),
});

const checksum = z.strictObject({
  namespace: name.describe('Namespace of the pod'),
  selector: selectorText.describe('Labels of the pod'),
  container: z.string().optional().describe('Container of the pod; the first one by default'),
  path: z
    .string()
    .startsWith('/', 'must begin with /')
    .describe('Folder whose files are compared with those at the snapshot'),
});

const promql = z.strictObject({
  service: namespacedName.describe('Service of Prometheus'),
  port: port.default(9090).describe('Port of the Service'),
  query: z.string().min(1).describe('Query; any result that is not empty is a pass'),
});

const helmTest = z.strictObject({
  namespace: name.describe('Namespace of the release'),
  release: z.string().min(1).describe('Release'),
});

const script = z.strictObject({
  run: z
    .union([z.string().min(1), command])
    .meta({title: 'command'})
    .describe('A zx script or a command; exit code 0 is a pass'),
  timeout: positiveDuration.optional().describe('How long it may take'),
});

/** The kinds of probe; a probe is of exactly one. */
export const probeKinds = {
  health: health.optional().describe('Workloads that the snapshot had are there and healthy'),
  k8s: k8s.optional().describe('Objects are there, are not, are so many, or hold a value'),
  http: http.optional().describe('A Service answers over HTTP'),
  tcp: tcp.optional().describe('A Service takes connections'),
  exec: exec.optional().describe('A command in a pod ends as expected'),
  job: job.optional().describe('A Job ends well'),
  sql: sql.optional().describe('A query gives what is expected'),
  checksum: checksum.optional().describe('Files are those of the snapshot'),
  canary: canary.optional().describe('The nonce that was written before the snapshot is there'),
  promql: promql.optional().describe('A query of Prometheus gives a result'),
  helmTest: helmTest.optional().describe('helm test passes'),
  script: script.optional().describe('A script ends well'),
};
