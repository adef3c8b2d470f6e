import type {KubeObject} from '../cluster/object.ts';
import {type Dsn, parseDsn} from '../probe/database.ts';
import {stringsAt} from '../std/json-at.ts';
import {type DsnFact, type WorkloadFact, workloadKey} from './facts.ts';
import {workloadsBehind} from './select.ts';

/**
 * Finds Secrets with the DSN of a PostgreSQL database behind a Service of the plan. Of a DSN only the Service and the
 * name of the database are kept. One DSN for each database.
 */
export function findDsns(
  secrets: readonly KubeObject[],
  services: readonly KubeObject[],
  workloads: readonly WorkloadFact[],
): DsnFact[] {
  const found = secrets.flatMap(secret => {
    const {name, namespace = ''} = secret.metadata;
    return Object.entries(stringsAt(secret, 'data')).flatMap(([key, value]) => {
      const dsn = readDsn(Buffer.from(value, 'base64').toString('utf8').trim(), namespace);
      const service = services.find(
        ({metadata}) => dsn && metadata.namespace === dsn.namespace && metadata.name === dsn.service,
      );
      if (!dsn || !service) return [];
      const [workload] = workloadsBehind(service, workloads);
      return [
        {
          secretRef: `${namespace}/${name}#${key}`,
          namespace,
          service: `${dsn.namespace}/${dsn.service}`,
          database: dsn.database,
          workload: workload && workloadKey(workload),
        },
      ];
    });
  });
  // A Secret beside its database is that of the owner more likely than one of an application.
  const order = [...found].sort(
    (a, b) => Number(isFar(a)) - Number(isFar(b)) || (a.secretRef < b.secretRef ? -1 : 1),
  );
  return [
    ...new Map(order.toReversed().map(dsn => [`${dsn.service}/${dsn.database}`, dsn])).values(),
  ].reverse();
}

const isFar = ({namespace, service}: DsnFact) => !service.startsWith(`${namespace}/`);

function readDsn(text: string, namespace: string): Dsn | undefined {
  if (!/^postgres(ql)?:\/\//.test(text)) return undefined;
  try {
    return parseDsn(text, namespace);
  } catch {
    return undefined;
  }
}
