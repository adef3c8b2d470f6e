/** The waves of a restore, first to last; what is in one wave may be created in any order (restore-rules.md, "Order"). */
export const WAVES = [
  'definitions',
  'namespaces',
  'classes and quotas',
  'identities',
  'configuration',
  'volumes',
  'network',
  'operators',
  'custom resources',
  'workloads',
  'routes and budgets',
  'autoscalers',
  'admission',
] as const;
export type WaveName = (typeof WAVES)[number];
