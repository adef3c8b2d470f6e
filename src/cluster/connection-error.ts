import {messageOf, PraError} from '../errors.ts';
import {formatDuration} from '../std/duration.ts';

export interface ConnectionFailure {
  server: string;
  context: string;
  timeoutMs: number;
}

const TLS_VERIFY = new Set([
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'CERT_SIGNATURE_FAILURE',
  'CERT_UNTRUSTED',
]);
const TIMED_OUT = new Set([
  'ETIMEDOUT',
  'UND_ERR_CONNECT_TIMEOUT',
  'UND_ERR_HEADERS_TIMEOUT',
  'UND_ERR_BODY_TIMEOUT',
]);
const LOST = new Set(['ECONNRESET', 'EPIPE', 'UND_ERR_SOCKET', 'UND_ERR_INFO', 'UND_ERR_DESTROYED']);

/** Whether a connection broke after it had been made, so that an idempotent request may be tried again. */
export function isLostConnection(error: unknown): boolean {
  const code = codeOf(error) ?? '';
  return LOST.has(code) || code.startsWith('ERR_HTTP2_');
}

/** Turns a failure to reach the API server into one that says which part of the way broke and what to do. */
export function connectionError(error: unknown, failure: ConnectionFailure): PraError {
  const {why, next} = diagnose(error, failure);
  return new PraError(
    'CLUSTER_UNREACHABLE',
    `cannot reach the API server ${failure.server} of context "${failure.context}"`,
    {
      why,
      next,
      cause: error,
    },
  );
}

interface Diagnosis {
  why: string;
  next: string[];
}

function diagnose(error: unknown, failure: ConnectionFailure): Diagnosis {
  const code = codeOf(error) ?? '';
  const {host, hostname} = new URL(failure.server);
  const {context} = failure;
  const look = `kubectl --context ${context} cluster-info`;
  if (code === 'ECONNREFUSED') {
    return {
      why: `nothing listens at ${host} (connection refused)`,
      next: ['check that the cluster runs, and the tunnel or VPN to it', look],
    };
  }
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') {
    return {
      why: `the name ${hostname} could not be resolved (DNS, ${code})`,
      next: ['check DNS and the VPN', `getent hosts ${hostname}`],
    };
  }
  if (code === 'EHOSTUNREACH' || code === 'ENETUNREACH') {
    return {
      why: `there is no network route to ${host} (${code})`,
      next: ['check the network and the VPN', `ip route get ${hostname}`],
    };
  }
  if (TIMED_OUT.has(code))
    return {
      why: timeoutWhy(code, host, failure.timeoutMs),
      next: ['check firewalls and the load of the API server', look],
    };
  if (isTls(code, error)) return diagnoseTls(code, error, failure);
  if (isLostConnection(error))
    return {why: `the connection to ${host} broke (${messageOf(error)})`, next: ['run it again', look]};
  return {why: messageOf(error), next: [look]};
}

function timeoutWhy(code: string, host: string, timeoutMs: number): string {
  return code === 'ETIMEDOUT' || code === 'UND_ERR_CONNECT_TIMEOUT'
    ? `${host} did not take the connection in time`
    : `${host} took the request but did not answer it within ${formatDuration(timeoutMs)}`;
}

function isTls(code: string, error: unknown): boolean {
  return (
    TLS_VERIFY.has(code) ||
    code.startsWith('CERT_') ||
    code.startsWith('ERR_TLS_') ||
    code.startsWith('ERR_SSL_') ||
    code === 'EPROTO' ||
    /ssl routines|tls/i.test(messageOf(error))
  );
}

function diagnoseTls(code: string, error: unknown, failure: ConnectionFailure): Diagnosis {
  const {host, hostname} = new URL(failure.server);
  const show = `openssl s_client -connect ${host} -showcerts </dev/null`;
  const message = messageOf(error);
  if (TLS_VERIFY.has(code)) {
    return {
      why: `TLS: the certificate of ${host} was not signed by the authority in the kubeconfig (${code})`,
      next: [
        'get a fresh kubeconfig: the cluster may have been made anew, or a proxy may be in between',
        show,
      ],
    };
  }
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') {
    return {
      why: `TLS: the certificate of ${host} was not made for the name ${hostname}`,
      next: ['use the server name that is in the certificate, or set tls-server-name', show],
    };
  }
  if (code === 'CERT_HAS_EXPIRED')
    return {why: `TLS: the certificate of ${host} has expired`, next: ['renew it', show]};
  if (code === 'CERT_NOT_YET_VALID')
    return {why: `TLS: the certificate of ${host} is not valid yet`, next: ['check the clocks', show]};
  if (/wrong version number|http request/i.test(message)) {
    return {why: `TLS: ${host} does not speak TLS`, next: ['check the port in the kubeconfig']};
  }
  if (/alert/i.test(message)) {
    return {
      why: `TLS: ${host} refused the client certificate of the kubeconfig`,
      next: ['log in again with the tool that made this kubeconfig', show],
    };
  }
  return {why: `TLS: ${message}`, next: [show]};
}

/** The error code, wherever undici and Node put it: on the error, its cause, or the attempts over several addresses. */
function codeOf(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  if ('code' in error && typeof error.code === 'string') return error.code;
  const inner = error instanceof AggregateError ? error.errors : [error.cause];
  return inner.map(codeOf).find(code => code !== undefined);
}
