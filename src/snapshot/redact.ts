import type {KubeObject} from '../cluster/object.ts';
import {isJsonObject} from '../std/json-at.ts';

const LAST_APPLIED = 'kubectl.kubernetes.io/last-applied-configuration';

const isSecret = (object: KubeObject) => object.kind === 'Secret' && object.apiVersion === 'v1';

/** A Secret with the sizes of its values instead of them; any other object as it is. */
export function redactSecret(object: KubeObject): KubeObject {
  if (!isSecret(object)) return object;
  const {annotations} = object.metadata;
  const hidden = annotations?.[LAST_APPLIED];
  return {
    ...object,
    ...(isJsonObject(object.data) ? {data: sizes(object.data, 'base64')} : {}),
    ...(isJsonObject(object.stringData) ? {stringData: sizes(object.stringData, 'utf8')} : {}),
    metadata:
      hidden === undefined
        ? object.metadata
        : {...object.metadata, annotations: {...annotations, [LAST_APPLIED]: redacted(hidden, 'utf8')}},
  };
}

function sizes(values: Record<string, unknown>, encoding: 'base64' | 'utf8'): Record<string, string> {
  return Object.fromEntries(
    Object.entries(values).map(([key, value]) => [key, redacted(String(value), encoding)]),
  );
}

const redacted = (value: string, encoding: 'base64' | 'utf8') =>
  `<redacted, ${Buffer.byteLength(value, encoding)} bytes>`;
