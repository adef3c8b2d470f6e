import type {KubeObject} from '../../cluster/object.ts';
import type {Json} from '../../std/json.ts';
import {arrayAt, isJsonObject, stringAt, withAt} from '../../std/json-at.ts';
import {type Action, Replacements} from './action.ts';

/** Where external-dns reads names that it publishes; a list with commas. */
const DNS_ANNOTATION = 'external-dns.alpha.kubernetes.io/hostname';

/** Hosts of Ingresses, Gateways and routes, and those that external-dns is asked to publish. */
export const hosts: Action<'hosts'> = (object, map) => {
  const made = new Replacements();
  const rename = (host: string) => {
    const renamed = mapHost(host, map);
    if (renamed !== host) made.note(host, renamed);
    return renamed;
  };
  const result = [inRules, inTls, inHostnames, inListeners, inAnnotation].reduce(
    (current, place) => place(current, rename),
    object,
  );
  return made.any ? {object: result, path: 'host', what: made.toString()} : undefined;
};

type Rename = (host: string) => string;

/**
 * The host in the target: of the whole name, or of the longest ending, which begins with a dot: `.example.com` stands for
 * every host below it.
 */
export function mapHost(host: string, map: Readonly<Record<string, string>>): string {
  if (Object.hasOwn(map, host)) return map[host] ?? host;
  const ending = Object.keys(map)
    .filter(key => key.startsWith('.') && host.endsWith(key))
    .sort((a, b) => b.length - a.length)[0];
  const to = ending === undefined ? undefined : map[ending];
  if (ending === undefined || to === undefined) return host;
  // Its new ending ends like the old one: once is enough.
  return to.endsWith(ending) && host.endsWith(to) ? host : host.slice(0, -ending.length) + to;
}

function renameIn(list: Json[], field: string, rename: Rename): Json[] {
  return list.map(entry => {
    const host = stringAt(entry, field);
    return host === undefined || !isJsonObject(entry) ? entry : {...entry, [field]: rename(host)};
  });
}

const renameAll = (list: Json[], rename: Rename) =>
  list.map(host => (typeof host === 'string' ? rename(host) : host));

function inList(object: KubeObject, path: readonly string[], change: (list: Json[]) => Json[]): KubeObject {
  const list = arrayAt(object, ...path);
  return list.length === 0 ? object : withAt(object, path, change(list));
}

const inRules = (object: KubeObject, rename: Rename) =>
  object.kind === 'Ingress'
    ? inList(object, ['spec', 'rules'], list => renameIn(list, 'host', rename))
    : object;

const inTls = (object: KubeObject, rename: Rename) =>
  object.kind === 'Ingress'
    ? inList(object, ['spec', 'tls'], list =>
        list.map(entry =>
          isJsonObject(entry) && Array.isArray(entry.hosts)
            ? {...entry, hosts: renameAll(entry.hosts, rename)}
            : entry,
        ),
      )
    : object;

const ROUTES = new Set(['HTTPRoute', 'GRPCRoute', 'TLSRoute']);
const inHostnames = (object: KubeObject, rename: Rename) =>
  ROUTES.has(object.kind) ? inList(object, ['spec', 'hostnames'], list => renameAll(list, rename)) : object;

const inListeners = (object: KubeObject, rename: Rename) =>
  object.kind === 'Gateway'
    ? inList(object, ['spec', 'listeners'], list => renameIn(list, 'hostname', rename))
    : object;

function inAnnotation(object: KubeObject, rename: Rename): KubeObject {
  const text = stringAt(object, 'metadata', 'annotations', DNS_ANNOTATION);
  if (text === undefined) return object;
  const renamed = text.split(',').map(host => rename(host.trim()));
  return withAt(object, ['metadata', 'annotations', DNS_ANNOTATION], renamed.join(','));
}
