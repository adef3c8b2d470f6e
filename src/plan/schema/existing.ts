/**
 * What becomes of an object that the target has already and that differs. `prune` updates it, and also removes what the
 * snapshot does not have (prune.ts).
 */
export const EXISTING_POLICIES = ['skip', 'update', 'recreate', 'prune'] as const;
export type ExistingPolicy = (typeof EXISTING_POLICIES)[number];
