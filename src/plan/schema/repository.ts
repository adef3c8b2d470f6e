import {z} from 'zod';
import {positiveDuration} from './field.ts';

const recipient = z
  .string()
  .max(4096)
  .refine(text => !/^age-secret-key-/i.test(text), {
    error: 'is an identity, which is secret; its recipient begins with age1',
    abort: true,
  })
  .regex(/^age1(pq1)?[02-9ac-hj-np-z]{58,}$/, 'must be a recipient of age, such as age1…');

/** Where snapshots are kept, and how they are protected there. */
export const repository = z
  .strictObject({
    url: z
      .string()
      .regex(/^(file:\/\/\/|s3:\/\/[^/])/, 'must be file:///path or s3://bucket/prefix')
      .meta({title: 'URL', examples: ['s3://dr/shop', 'file:///var/backups/shop']})
      .describe('Where snapshots are kept'),
    endpoint: z.url({error: 'must be a URL'}).optional().describe('S3 endpoint other than that of AWS'),
    region: z.string().min(1).optional().describe('Region of the bucket'),
    pathStyle: z.boolean().optional().describe('Name of the bucket in the path instead of the host name'),
    caFile: z.string().min(1).optional().describe('PEM file of the authority that signed the endpoint'),
    credentials: z
      .strictObject({
        env: z
          .string()
          .regex(/^[A-Za-z_][A-Za-z0-9_]*$/, 'must be the beginning of the names of variables, such as DR')
          .optional()
          .describe(
            'Prefix of the variables with the credentials: DR for DR_ACCESS_KEY_ID, DR_SECRET_ACCESS_KEY, DR_SESSION_TOKEN',
          ),
        profile: z.string().min(1).optional().describe('Profile of the AWS configuration'),
        secretRef: z.string().min(1).optional().describe('Secret that holds the credentials'),
      })
      .refine(value => Object.keys(value).length <= 1, {error: 'has one of env, profile and secretRef'})
      .optional()
      .describe('Credentials of the bucket; those that AWS tools would find by default'),
    encryption: z
      .strictObject({
        recipients: z
          .array(recipient)
          .min(1)
          .optional()
          .describe('Public keys of age that get a key slot when pra makes the repository'),
        kms: z
          .strictObject({
            command: z
              .array(z.string().min(1))
              .min(1)
              .meta({examples: [['/etc/pra/kms-aws', 'alias/pra']]})
              .describe('The program and its arguments; pra adds `wrap` or `unwrap` (docs/keys.md)'),
          })
          .optional()
          .describe(
            'A program that stands for a key management service: its slot is made with the repository, and opens it',
          ),
        fingerprint: z
          .string()
          .regex(
            /^[0-9a-f]{8}(-[0-9a-f]{8}){3}$/,
            'must be the fingerprint that pra repository key list shows',
          )
          .optional()
          .describe('The only data key that is accepted, so that nobody can slip in another'),
        sse: z
          .enum(['AES256', 'aws:kms'])
          .optional()
          .describe('Encryption by the object store as well, asked for with every write'),
        kmsKeyId: z
          .string()
          .min(1)
          .optional()
          .describe('Key of sse aws:kms: its ARN, id or alias; that of the bucket by default'),
      })
      .refine(value => value.kmsKeyId === undefined || value.sse === 'aws:kms', {
        error: 'kmsKeyId needs sse: aws:kms',
      })
      .optional()
      .describe(
        'Keys other than the passphrase of PRA_PASSPHRASE_FILE or PRA_PASSPHRASE, and encryption by the store',
      ),
    storageClass: z
      .string()
      .regex(/^[A-Z][A-Z0-9_]*$/, 'must be a storage class, such as STANDARD_IA')
      .refine(name => !['GLACIER', 'DEEP_ARCHIVE'].includes(name), {
        error: 'must be a class whose objects can be read at once',
      })
      .optional()
      .describe('Storage class of packs and trees; all else stays in the default class of the bucket'),
    lock: z
      .strictObject({
        mode: z.enum(['governance', 'compliance']).describe('compliance cannot be undone by anyone'),
        days: z
          .int()
          .min(1)
          .max(36_500)
          .describe('How long an object cannot be deleted after it was written'),
      })
      .optional()
      .describe('Object Lock of everything that pra writes but its own locks; the bucket must have it'),
  })
  .superRefine((value, context) => {
    if (!value.url.startsWith('file:')) return;
    // Ignoring them would be a promise not kept.
    for (const [path, found] of [
      [['lock'], value.lock],
      [['storageClass'], value.storageClass],
      [['encryption', 'sse'], value.encryption?.sse],
    ] as const)
      if (found !== undefined)
        context.addIssue({code: 'custom', path: [...path], message: 'needs a bucket: the url is a folder'});
  });

/** Which snapshot a drill recovers. */
export const recoveryPoint = z.strictObject({
  policy: z
    .enum(['fresh', 'latest', 'random', 'at', 'id'])
    .describe(
      'A new snapshot, the newest there is, any of the window, the newest before a time, or the one named',
    ),
  id: z.string().min(1).optional().describe('Snapshot of policy id, or the beginning of its id'),
  at: z.iso
    .datetime({error: 'must be a time, such as 2026-11-23T03:00:00Z'})
    .optional()
    .describe('Time of policy at'),
  window: positiveDuration.optional().describe('How old a snapshot of policy random may be'),
});
