import {z} from 'zod';
import {EXISTING_POLICIES} from '../plan/schema/existing.ts';

const policy = z.enum(EXISTING_POLICIES);
const names = z.array(z.string()).readonly();
const list = names.optional();

/**
 * Everything that makes a restore what it is. It is the first line of the journal, so that a restore that was broken off
 * goes on as the same one.
 */
export const restoreRequestSchema = z.object({
  repository: z.string(),
  snapshot: z.string(),
  mode: z.enum(['drill', 'recover']),
  planFile: z.string().optional(),
  planHash: z.string().optional(),
  target: z.object({
    kubeconfig: z.string().optional(),
    context: z.string().optional(),
    uid: z.string(),
    server: z.string(),
  }),
  select: z.object({
    namespaces: names,
    excludeNamespaces: list,
    clusterScoped: z.enum(['referenced', 'all', 'none']),
    kinds: list,
    excludeKinds: list,
    names: list,
    excludeNames: list,
    selector: z.string().optional(),
    excludeSelector: z.string().optional(),
  }),
  namespaces: z.record(z.string(), z.string()),
  existing: z.object({all: policy, kinds: z.record(z.string(), policy)}),
  allowEmptyVolumes: z.boolean(),
  /** Claims stay empty. */
  withoutVolumes: z.boolean().optional(),
});
export type RestoreRequest = z.infer<typeof restoreRequestSchema>;
