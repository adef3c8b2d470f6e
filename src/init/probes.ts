import {selectorText} from '../snapshot/selector.ts';
import type {JsonObject} from '../std/json.ts';
import {
  type ClusterFacts,
  type CustomResourceFact,
  type DsnFact,
  type WebServiceFact,
  workloadKey,
} from './facts.ts';
import {planNames} from './names.ts';
import type {SavedDatabase} from './volumes.ts';
import type {Item} from './yaml.ts';

/** Counts every row of a database without knowing its tables, each in a query of its own. */
export const COUNT_ROWS = [
  "select coalesce(sum((xpath('/row/n/text()', query_to_xml(format('select count(*) as n from %I.%I', schemaname, tablename),",
  "false, true, '')))[1]::text::bigint), 0) from pg_tables where schemaname not in ('pg_catalog', 'information_schema')",
  "and has_table_privilege(format('%I.%I', schemaname, tablename), 'select')",
].join(' ');

export interface ProbeChoice {
  facts: ClusterFacts;
  saved: readonly SavedDatabase[];
  hasCanary: boolean;
}

/** Probes for what pra can see: workloads, web pages, rows, custom resources, the canary. */
export function planProbes({facts, saved, hasCanary}: ProbeChoice): Item<JsonObject>[] {
  const unique = planNames();
  const asked = new Set(facts.dsns.map(dsn => dsn.workload));
  const unasked = saved.filter(({workload}) => !asked.has(workloadKey(workload)));
  return [
    {
      value: {name: unique('workloads'), proves: 'processUp', health: {}},
      lines: ['Every workload is there and healthy.'],
    },
    ...facts.webServices.map(service => webProbe(unique, service)),
    ...facts.dsns.map(dsn => rowsProbe(unique, dsn)),
    ...unasked.map(database => notEmptyProbe(unique, database)),
    ...facts.customResources.map(resource => countProbe(unique, resource)),
    ...(hasCanary ? [canaryProbe(unique)] : []),
  ];
}

type Unique = (text: string) => string;

function webProbe(unique: Unique, service: WebServiceFact): Item<JsonObject> {
  const {namespace, name, port, path, scheme, reason} = service;
  const tls = scheme === 'https' ? {scheme} : {};
  return {
    value: {
      name: unique(`${namespace}-${name}`),
      proves: 'functionWorks',
      http: {service: `${namespace}/${name}`, port, ...tls, path, expect: {status: 200}},
    },
    lines: [`Asked because ${reason}.`],
  };
}

function rowsProbe(unique: Unique, {secretRef, service, database}: DsnFact): Item<JsonObject> {
  return {
    value: {
      name: unique(`rows-${database}`),
      proves: 'dataPresent',
      sql: {secretRef, query: COUNT_ROWS},
      compare: {baseline: 'snapshot', tolerance: '1%'},
    },
    lines: [
      `Rows of all tables of ${database} at ${service}, compared with those at the snapshot. Where this takes long,`,
      'count a table that matters instead: select count(*) from orders',
    ],
  };
}

function notEmptyProbe(unique: Unique, saved: SavedDatabase): Item<JsonObject> {
  const {workload, labels, database, container, notEmpty} = saved;
  const selector = selectorText(labels);
  const which = workload.containers.length > 1 ? {container} : {};
  return {
    value: {
      name: unique(`data-${workload.namespace}-${workload.name}`),
      proves: 'dataPresent',
      exec: {namespace: workload.namespace, selector, ...which, command: [...notEmpty]},
    },
    lines: [
      `${database} has something in it. Ask for something that you know instead, such as the number of orders.`,
    ],
  };
}

function countProbe(unique: Unique, {kind, plural, namespace, count}: CustomResourceFact): Item<JsonObject> {
  return {
    value: {
      name: unique(`${plural}-${namespace}`),
      proves: 'dataPresent',
      k8s: {kind, namespace, expect: {count: {min: count}}},
    },
    lines: [],
  };
}

const canaryProbe = (unique: Unique): Item<JsonObject> => ({
  value: {name: unique('canary'), proves: 'dataCurrent', canary: {}},
  lines: ['What was written just before the snapshot is there.'],
});
