import {type IncomingMessage, request} from 'node:http';
import {request as requestTls} from 'node:https';
import type {Duplex} from 'node:stream';
import {connect as connectTls} from 'node:tls';
import type {Cluster} from '../cluster/client.ts';
import {PraError} from '../errors.ts';
import type {PlanProbe} from '../plan/schema.ts';
import type {Json} from '../std/json.ts';
import {compareObserved} from './compare.ts';
import {readPath} from './json-path.ts';
import type {Observation, Observe} from './probe.ts';
import {openService, splitRef} from './service-stream.ts';

const MAX_BODY_BYTES = 1024 * 1024;
type HttpProbe = NonNullable<PlanProbe['http']>;

/** A Service answers over HTTP as the plan expects it: status, text, or a value of a JSON body. */
export const observeHttp: Observe = async (probe, {cluster, baselines}, signal) => {
  const wanted = probe.http;
  if (!wanted) throw new PraError('BUG', 'not an http probe');
  const answer = await ask(wanted, await openHttp(cluster, wanted, signal), signal);
  const mismatch = mismatchOf(wanted, answer);
  if (mismatch) return mismatch;
  const value = jsonValueOf(wanted, answer.body);
  if (value === undefined)
    return {
      passed: true,
      message: `status ${answer.status}`,
      expected: wanted.expect.status,
      observed: answer.status,
    };
  if (wanted.expect.json?.equals !== undefined)
    return compareObserved({...probe, compare: {equals: wanted.expect.json.equals}}, value, baselines);
  return compareObserved(probe, value, baselines);
};

/** A connection to the Service that the probe asks. */
export function openHttp(cluster: Cluster, wanted: HttpProbe, signal: AbortSignal): Promise<Duplex> {
  const port = wanted.port ?? (wanted.scheme === 'https' ? 443 : 80);
  return openService(cluster, {...serviceOf(wanted), port}, signal);
}

function serviceOf({service}: HttpProbe): {namespace: string; name: string} {
  if (service === undefined) throw new PraError('BUG', 'an http probe without a Service');
  return splitRef(service);
}

interface Answer {
  status: number;
  /** At most 1 MiB of it. */
  body: string;
  cut: boolean;
}

/** The value that a baseline of an http probe keeps. Call it only with an answer that has no mismatch. */
export function jsonValueOf(wanted: HttpProbe, body: string): Json | undefined {
  return wanted.expect.json && readPath(parseJson(body), wanted.expect.json.path);
}

function parseJson(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    return undefined;
  }
}

/**
 * What is wrong with an answer, apart from the value that is compared.
 * @throws PraError when the answer is too large to tell
 */
export function mismatchOf(wanted: HttpProbe, answer: Answer): Observation | undefined {
  const {status, bodyIncludes} = wanted.expect;
  if (answer.status !== status) {
    return {
      passed: false,
      message: `status ${answer.status}, expected ${status}`,
      expected: status,
      observed: answer.status,
    };
  }
  if (bodyIncludes !== undefined && !answer.body.includes(bodyIncludes)) {
    if (answer.cut) throw tooLarge();
    return {
      passed: false,
      message: `the answer does not contain "${bodyIncludes}"`,
      expected: bodyIncludes,
      observed: answer.body.slice(0, 200),
    };
  }
  return wanted.expect.json && mismatchOfJson(wanted.expect.json.path, answer);
}

function mismatchOfJson(path: string, answer: Answer): Observation | undefined {
  if (answer.cut) throw tooLarge();
  const body = parseJson(answer.body);
  if (body === undefined)
    return {passed: false, message: 'the answer is not JSON', observed: answer.body.slice(0, 200)};
  if (readPath(body, path) !== undefined) return undefined;
  return {passed: false, message: `the answer has no ${path}`, observed: answer.body.slice(0, 200)};
}

const tooLarge = () =>
  new PraError('CLUSTER_REQUEST_FAILED', 'the answer is too large to look through', {
    why: `it has more than ${MAX_BODY_BYTES / 1024 / 1024} MiB`,
  });

/** One GET over a connection that is there already. */
export async function ask(wanted: HttpProbe, stream: Duplex, signal: AbortSignal): Promise<Answer> {
  const host = serviceOf(wanted).name;
  // Certificates inside a cluster name services, seldom an authority that is known outside; what is proved here is the answer.
  const createConnection = () =>
    wanted.scheme === 'https'
      ? connectTls({socket: stream, servername: host, rejectUnauthorized: false})
      : stream;
  const send = wanted.scheme === 'https' ? requestTls : request;
  const {promise, resolve, reject} = Promise.withResolvers<IncomingMessage>();
  const outgoing = send(
    {
      method: 'GET',
      path: wanted.path,
      host,
      headers: {host, connection: 'close', 'user-agent': 'pra'},
      createConnection,
      signal,
    },
    resolve,
  );
  outgoing.once('error', reject);
  stream.once('error', reject);
  outgoing.end();
  try {
    const response = await promise;
    const chunks: Buffer[] = [];
    let size = 0;
    for await (const chunk of response) {
      size += chunk.length;
      if (size > MAX_BODY_BYTES) break;
      chunks.push(chunk);
    }
    const body = Buffer.concat(chunks).toString('utf8');
    return {status: response.statusCode ?? 0, body, cut: size > MAX_BODY_BYTES};
  } finally {
    stream.destroy();
  }
}
