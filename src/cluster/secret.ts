import {PraError} from '../errors.ts';
import {stringsAt} from '../std/json-at.ts';
import {readObject} from './apply.ts';
import type {Cluster} from './client.ts';
import {CORE_TYPES} from './core-types.ts';

/**
 * Reads one value of a Secret. Callers never log it, nor put it into an error, an argument list or a record.
 * @param reference `namespace/name`
 * @param key which value; by default the only one
 * @throws PraError CLUSTER_REQUEST_FAILED when the Secret or the key is not there, or the key is not clear
 */
export async function readSecret(
  cluster: Cluster,
  reference: string,
  key?: string,
  options: {signal?: AbortSignal | undefined} = {},
): Promise<string> {
  const [namespace = '', name = '', ...rest] = reference.split('/');
  if (!namespace || !name || rest.length > 0) {
    throw new PraError('USAGE', `"${reference}" does not name a Secret`, {
      next: ['write it as NAMESPACE/NAME'],
    });
  }
  const secret = await readObject(cluster, CORE_TYPES.Secret, {namespace, name}, options);
  if (!secret)
    throw new PraError(
      'CLUSTER_REQUEST_FAILED',
      `there is no Secret ${reference} in context "${cluster.context}"`,
    );
  const data = stringsAt(secret, 'data');
  const keys = Object.keys(data);
  const wanted = key ?? (keys.length === 1 ? keys[0] : undefined);
  const value = wanted === undefined ? undefined : data[wanted];
  if (value === undefined) {
    throw new PraError(
      'CLUSTER_REQUEST_FAILED',
      key ? `Secret ${reference} has no key "${key}"` : `Secret ${reference} has several keys; say which`,
      {
        why: keys.length > 0 ? `its keys are: ${keys.join(', ')}` : 'it is empty',
      },
    );
  }
  return Buffer.from(value, 'base64').toString('utf8');
}
