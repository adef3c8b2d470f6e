import {z} from 'zod';
import {positiveDuration} from './field.ts';

const quantity = (what: string, examples: string[]) =>
  z
    .string()
    .regex(/^\d+(\.\d+)?(m|k|M|G|T|Ki|Mi|Gi|Ti)?$/, `must be a quantity, such as ${examples[0]}`)
    .meta({title: 'quantity', examples})
    .describe(what);

/** A quantity of bytes as Kubernetes writes it. */
export const bytesQuantity = (what: string) => quantity(what, ['10Gi', '500Mi']);

/** How the pods are run that read and fill volumes. */
export const mover = z.strictObject({
  image: z
    .string()
    .regex(
      /^(localhost\/\S+|\S+@sha256:[0-9a-f]{64})$/,
      'must be an image with its digest, such as registry.example/pra/mover@sha256:…',
    )
    .optional()
    .meta({title: 'image', examples: ['registry.example/pra/mover@sha256:…']})
    .describe(
      'Image with restic and what starts it, by its digest; the one that pra builds and terraform/local imports by default',
    ),
  transport: z
    .enum(['auto', 'stream', 'direct'])
    .default('auto')
    .describe(
      'direct: pods talk to the bucket themselves; stream: their data goes through the API server and pra; auto: direct where there are credentials for pods and the pod reaches the bucket',
    ),
  credentials: z
    .strictObject({
      env: z
        .string()
        .regex(/^[A-Za-z_][A-Za-z0-9_]*$/, 'must be the beginning of the names of variables, such as MOVER')
        .optional()
        .describe('Prefix of the variables with the credentials, as in spec.repository.credentials.env'),
      profile: z.string().min(1).optional().describe('Profile of the AWS configuration'),
    })
    .refine(value => Object.keys(value).length === 1, {error: 'has one of env and profile'})
    .optional()
    .describe('Credentials that pods are given for direct: scoped ones (pra repository policy --for mover)'),
  runAs: z
    .enum(['auto', 'workload', 'root'])
    .default('auto')
    .describe(
      'auto: to save, the user of the workload where it is known and may read all, else root with few capabilities; to restore, root where the namespace allows it',
    ),
  parallel: z.int().min(1).max(256).default(8).describe('Volumes at the same time'),
  perNode: z
    .int()
    .min(1)
    .max(64)
    .default(2)
    .describe('Live volumes that are read at the same time on one node'),
  timeout: positiveDuration
    .prefault('12h')
    .describe('How long one volume may take, from the moment that its turn comes'),
  requests: z
    .strictObject({
      cpu: quantity('Share of a processor', ['100m']).default('100m'),
      memory: bytesQuantity('Memory').default('128Mi'),
    })
    .prefault({})
    .describe('What the scheduler keeps free for a pod'),
  limits: z
    .strictObject({
      memory: bytesQuantity('Memory; restic keeps an index of the repository in it').default('1Gi'),
    })
    .prefault({})
    .describe('What a pod may use at most'),
});
