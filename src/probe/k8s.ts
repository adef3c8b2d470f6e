import {isDeepStrictEqual} from 'node:util';
import {discover} from '../cluster/discover.ts';
import {listAll} from '../cluster/list.ts';
import {groupOf, type KubeObject} from '../cluster/object.ts';
import {ResourceMap} from '../cluster/resource-map.ts';
import {PraError} from '../errors.ts';
import type {Json} from '../std/json.ts';
import {show} from './compare.ts';
import {readPath} from './json-path.ts';
import type {Observation, Observe} from './probe.ts';

/** Objects are there, are not there, are so many, or hold a value. */
export const observeK8s: Observe = async (probe, {cluster}, signal) => {
  const wanted = probe.k8s;
  if (!wanted) throw new PraError('BUG', 'not a k8s probe');
  const spelling =
    wanted.apiVersion === undefined ? wanted.kind : `${wanted.kind}.${groupOf(wanted.apiVersion)}`;
  const {types, lost} = await discover(cluster, {signal});
  const type = new ResourceMap(types).named(spelling);
  if (!type && lost.length > 0)
    throw new PraError(
      'CLUSTER_DISCOVERY_INCOMPLETE',
      `the target has no kind ${wanted.kind}, and cannot say what is in ${lost.map(({groupVersion}) => groupVersion).join(', ')}`,
    );
  if (!type) return judgeUnknownKind(wanted);
  const objects = await listAll(cluster, type, {
    signal,
    ...(wanted.namespace === undefined ? {} : {namespace: wanted.namespace}),
    ...(wanted.selector === undefined ? {} : {labelSelector: wanted.selector}),
  });
  const found =
    wanted.name === undefined ? objects : objects.filter(object => object.metadata.name === wanted.name);
  return judgeObjects(wanted, found);
};

/** @throws PraError for `absent`: a kind that was mistyped is absent too, which proves nothing. */
function judgeUnknownKind({kind, expect}: {kind: string; expect: Expectation}): Observation {
  const message = `the target has no kind ${kind}`;
  if (expect === 'absent') throw new PraError('CLUSTER_REQUEST_FAILED', message);
  return {passed: false, message, expected: 'a known kind', observed: null};
}

function judgeObjects(
  {kind, expect}: {kind: string; expect: Expectation},
  found: readonly KubeObject[],
): Observation {
  const count = `${found.length} ${kind}`;
  if (expect === 'present')
    return {
      passed: found.length > 0,
      message: found.length > 0 ? count : `there is no such ${kind}`,
      expected: expect,
      observed: found.length,
    };
  if (expect === 'absent')
    return {
      passed: found.length === 0,
      message: found.length === 0 ? `no ${kind}, as expected` : count,
      expected: expect,
      observed: found.length,
    };
  if ('count' in expect) {
    const {min, max, equals} = expect.count;
    const passed =
      (equals === undefined || found.length === equals) &&
      (min === undefined || found.length >= min) &&
      (max === undefined || found.length <= max);
    const expected = {
      ...(min === undefined ? {} : {min}),
      ...(max === undefined ? {} : {max}),
      ...(equals === undefined ? {} : {equals}),
    };
    return {
      passed,
      message: passed ? count : `${count}, expected ${show(expected)}`,
      expected,
      observed: found.length,
    };
  }
  const values = found.map(object => readPath(object, expect.jsonPath) ?? null);
  const {jsonPath, equals} = expect;
  const passed = found.length > 0 && values.every(value => isSame(value, equals));
  const saw =
    found.length === 0
      ? `there is no such ${kind}`
      : `${jsonPath} is ${[...new Set(values.map(show))].join(', ')}`;
  const message = passed ? saw : `${saw}, expected ${show(equals)}`;
  // One value where all hold the same, which is what a reader expects to see.
  const isOne = values.every(value => isDeepStrictEqual(value, values[0]));
  return {passed, message, expected: equals, observed: isOne ? (values[0] ?? null) : values};
}

/** Labels and annotations hold text, so that `true` in a plan also means their "true". */
function isSame(value: Json, wanted: Json): boolean {
  if (value === null || typeof value === 'object') return isDeepStrictEqual(value, wanted);
  return typeof wanted !== 'object' && String(value) === String(wanted);
}

type Expectation =
  | 'present'
  | 'absent'
  | {count: {min?: number | undefined; max?: number | undefined; equals?: number | undefined}}
  | {jsonPath: string; equals: Json};
