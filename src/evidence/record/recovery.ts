import {z} from 'zod';
import {bytes, count, digest, isoTime, json, ms, objectReference} from './fields.ts';

/** The snapshot that the run went back to. */
export const recoveryPointSchema = z.object({
  snapshot: z.string().min(1).describe('Id of the snapshot'),
  createdAt: isoTime.describe('The moment that the snapshot stands for'),
  policy: z.string().describe('How it was chosen: latest, random, at or id'),
  treeDigest: digest.describe('Digest of all objects of the snapshot'),
  source: z.object({
    uid: z.string().describe('UID of the kube-system namespace of the source'),
    version: z.string(),
    context: z.string().optional(),
    server: z.string().optional(),
  }),
  measuredRpoMs: ms.optional().describe('From the snapshot to T0: the work that would have been lost'),
  objects: count,
  bytes,
});

/** The cluster that was recovered into. */
export const targetSchema = z.object({
  provider: z.string().describe('Kind of target, such as local or scaleway'),
  module: z.string().optional().describe('Terraform module; absent for a cluster that was there'),
  moduleHash: digest.optional(),
  clusterUid: z.string().optional().describe('UID of its kube-system namespace; absent if it never came up'),
  version: z.string().optional(),
  endpoint: z.string().optional(),
  facts: z.record(z.string(), json).describe('What the module says of the cluster: audit, encryption, nodes'),
  segregation: z.object({
    isolated: z.boolean().describe('True only if it was proved from inside the target'),
    proof: z.array(z.string()).describe('What was tried and what came of it, one sentence each'),
  }),
});

export const kindCountSchema = z.object({
  kind: z.string(),
  expected: count,
  restored: count,
  skipped: count.describe('Left out by a rule, each with its reason in `skips`'),
  changed: count.describe('Restored, but not as they were, each with its rule in `changes`'),
  failed: count,
});

/** What came back, object by object where it was not simply restored. */
export const completenessSchema = z.object({
  kinds: z.array(kindCountSchema),
  failures: z.array(z.object({ref: objectReference, reason: z.string()})),
  changes: z.array(z.object({ref: objectReference, rule: z.string(), reason: z.string()})),
  skips: z
    .array(z.object({ref: objectReference, reason: z.string()}))
    .optional()
    .describe('Objects left out by a rule'),
});

export const volumeSchema = z.object({
  namespace: z.string(),
  workload: z.string().describe('Kind and name, such as StatefulSet/db'),
  claim: z.string().optional().describe('The claim, of methods csi and filesystem'),
  method: z.string().describe('dump, csi or filesystem'),
  bytes: bytes.describe('Size when it was saved'),
  restoredBytes: bytes,
  sha256Ok: z
    .boolean()
    .describe(
      'What came back is what was saved: by the digest of a dump, or by the manifest of all files of a claim',
    ),
  proof: z.string().optional().describe('What was compared, in one sentence'),
  durationMs: ms,
});
