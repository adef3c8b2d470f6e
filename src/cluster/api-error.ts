import {z} from 'zod';
import {type ErrorCode, PraError} from '../errors.ts';

/** What the API server says of one field or circumstance that it objects to. */
export interface ApiCause {
  reason?: string | undefined;
  message?: string | undefined;
  field?: string | undefined;
}

/** `Status` of the Kubernetes API, as far as pra reads it. */
const statusSchema = z.object({
  kind: z.literal('Status'),
  message: z.string().catch(''),
  reason: z.string().catch(''),
  details: z
    .object({
      causes: z
        .array(
          z.object({
            reason: z.string().optional(),
            message: z.string().optional(),
            field: z.string().optional(),
          }),
        )
        .catch([]),
    })
    .catch({causes: []}),
});

export interface ApiAnswer {
  status: number;
  body: string;
  retryAfterMs?: number | undefined;
}

/**
 * An error that the API server answered with. `status` is the HTTP status and `reason` the machine-readable reason
 * (`NotFound`, `AlreadyExists`, `Conflict`, `Invalid`), so that callers can tell them apart; `why` is the server's own
 * message.
 */
export class ApiError extends PraError {
  readonly status: number;
  readonly reason: string;
  readonly causes: readonly ApiCause[];
  /** How long the server asks to wait before the next try. */
  readonly retryAfterMs: number | undefined;

  /** @param action What was tried, as a phrase: `create apps/Deployment shop/web`. */
  constructor(action: string, answer: ApiAnswer, context: string) {
    const said = readStatus(answer);
    const explained = explain(action, said, answer.status, context);
    super(explained.code, explained.what, {why: said.message, next: explained.next});
    this.name = 'ApiError';
    this.status = answer.status;
    this.reason = said.reason;
    this.causes = said.causes;
    this.retryAfterMs = answer.retryAfterMs;
  }
}

/** Whether something thrown is an answer of the API server, with this status when one is given. */
export function isApiError(error: unknown, status?: number): error is ApiError {
  return error instanceof ApiError && (status === undefined || error.status === status);
}

/** Whether the API server, or what stands behind it such as a kubelet or etcd, failed at its side. */
export const isServerError = (error: unknown): boolean => error instanceof ApiError && error.status >= 500;

interface Said {
  message: string;
  reason: string;
  causes: ApiCause[];
}

function readStatus({status, body}: ApiAnswer): Said {
  const parsed = statusSchema.safeParse(parseJson(body));
  if (parsed.success) {
    const {message, reason, details} = parsed.data;
    return {message, reason: reason || `HTTP ${status}`, causes: details.causes};
  }
  // Proxies and load balancers answer in HTML or plain text.
  const text = body
    .replaceAll(/<[^>]*>/g, ' ')
    .replaceAll(/\s+/g, ' ')
    .trim();
  return {
    message: text.slice(0, 300) || `HTTP ${status} without a text`,
    reason: `HTTP ${status}`,
    causes: [],
  };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

interface Explained {
  code: ErrorCode;
  what: string;
  next?: string[];
}

/** The authorizer's sentence; admission also answers 403, but then it is not a permission that lacks. */
const DENIED =
  /User "(?<user>[^"]*)" cannot (?<verb>\S+) (?:resource "(?<resource>[^"]+)" in API group "(?<group>[^"]*)"(?: in the namespace "(?<namespace>[^"]+)")?|path "(?<path>[^"]+)")/;

function explain(action: string, said: Said, status: number, context: string): Explained {
  if (status === 401) {
    return {
      code: 'CLUSTER_UNAUTHORIZED',
      what: `the API server of context "${context}" refused the credentials (401)`,
      next: [
        'log in again with the tool that made this kubeconfig',
        `kubectl --context ${context} auth whoami`,
      ],
    };
  }
  const denied = status === 403 ? DENIED.exec(said.message)?.groups : undefined;
  if (denied) return explainDenied(denied, context);
  return {code: 'CLUSTER_REQUEST_FAILED', what: `cannot ${action}: ${said.reason}`};
}

function explainDenied(denied: Record<string, string | undefined>, context: string): Explained {
  const {user = '', verb = '', resource, group, namespace, path} = denied;
  const target = resource ? `${resource}${group ? `.${group}` : ''}` : (path ?? '');
  const where = namespace ? ` in namespace ${namespace}` : resource ? ' in the whole cluster' : '';
  const scope = namespace ? ` -n ${namespace}` : resource && !resource.includes('/') ? ' -A' : '';
  return {
    code: 'CLUSTER_FORBIDDEN',
    what: `"${user}" may not ${verb} ${target}${where}`,
    next: [
      `grant it: the role of "${user}" needs the verb ${verb} on ${target}`,
      `kubectl --context ${context} auth can-i ${verb} ${target}${scope}`,
    ],
  };
}
