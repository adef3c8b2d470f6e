import {stringAt} from '../../std/json-at.ts';
import type {KubeObject} from '../object.ts';

/** Warnings that only repeat what the status of a pod says better. */
const ECHOES = new Set(['BackOff', 'Failed', 'Unhealthy']);

/** What the last telling warning about an object says: `FailedMount: … secret "tls" not found`. */
export function lastWarning(events: readonly KubeObject[], about: KubeObject): string | undefined {
  const own = events.filter(event => isAbout(event, about) && stringAt(event, 'type') !== 'Normal');
  const telling = own.filter(event => !ECHOES.has(stringAt(event, 'reason') ?? ''));
  const last = telling.reduce<KubeObject | undefined>(
    (latest, event) => (latest === undefined || timeOf(event) >= timeOf(latest) ? event : latest),
    undefined,
  );
  return last && `${stringAt(last, 'reason') ?? 'Warning'}: ${stringAt(last, 'message') ?? ''}`.trim();
}

function isAbout(event: KubeObject, about: KubeObject): boolean {
  const uid = stringAt(event, 'involvedObject', 'uid');
  if (uid && about.metadata.uid) return uid === about.metadata.uid;
  return (
    stringAt(event, 'involvedObject', 'kind') === about.kind &&
    stringAt(event, 'involvedObject', 'name') === about.metadata.name
  );
}

function timeOf(event: KubeObject): string {
  return (
    stringAt(event, 'series', 'lastObservedTime') ??
    stringAt(event, 'lastTimestamp') ??
    stringAt(event, 'eventTime') ??
    event.metadata.creationTimestamp ??
    ''
  );
}
