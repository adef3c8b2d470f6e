import type {KubeObject} from '../../cluster/object.ts';
import {groupKindOf} from '../../snapshot/exclude.ts';
import {atRest} from '../guards/at-rest.ts';
import {backupSchedules} from '../guards/backup-schedules.ts';
import {selfSignedIssuers} from '../guards/certificates.ts';
import {argoClusterSecrets, gitopsSuspended} from '../guards/gitops.ts';
import {cloudRoles} from '../guards/identities.ts';
import {externalDns} from '../guards/infrastructure.ts';
import {keda} from '../guards/keda.ts';
import {gatewayHosts, ingressHosts, serviceUnpublished} from '../guards/published.ts';
import {webhooksLast} from '../guards/webhooks-last.ts';
import {builtIn} from './built-in.ts';
import {crd} from './crd.ts';
import {endpoints} from './endpoints.ts';
import {finalizers} from './finalizers.ts';
import {job} from './job.ts';
import {never} from './never.ts';
import {pod} from './pod.ts';
import {persistentVolume} from './pv.ts';
import {pvc} from './pvc.ts';
import type {Rule} from './rule.ts';
import {service} from './service.ts';
import {serviceAccount} from './service-account.ts';
import {statefulSet} from './stateful-set.ts';
import {webhook} from './webhook.ts';

/**
 * What a correct restore does, kind by kind (restore-rules.md). Rules that leave objects out come first. To add one:
 * a file with one `Rule`, a line here, a row in test/restore/rules.test.ts.
 */
export const RULES: readonly Rule[] = [
  never,
  builtIn,
  persistentVolume,
  endpoints,
  service,
  serviceAccount,
  pvc,
  statefulSet,
  job,
  pod,
  crd,
  webhook,
  finalizers,
];

/** What keeps a drill from touching the world outside (drill.md, "Guards"). They work after the plan's transforms. */
export const GUARDS: readonly Rule[] = [
  argoClusterSecrets,
  gitopsSuspended,
  externalDns,
  backupSchedules,
  selfSignedIssuers,
  serviceUnpublished,
  ingressHosts,
  gatewayHosts,
  cloudRoles,
  keda,
  webhooksLast,
  atRest,
];

/** The rules of a table that speak about the kind of an object, in the table's order. */
export function rulesFor(table: readonly Rule[]): (object: KubeObject) => readonly Rule[] {
  const byKind = new Map<string, readonly Rule[]>();
  return object => {
    const kind = groupKindOf(object);
    const known = byKind.get(kind);
    if (known) return known;
    const found = table.filter(rule => rule.kinds === 'all' || rule.kinds.includes(kind));
    byKind.set(kind, found);
    return found;
  };
}
