/**
 * The catalogue of everything that can go wrong, in one place, so that every failure has a code, an exit code
 * and an explanation that `pra explain CODE` and the reference can show.
 */

/** Exit codes, documented in docs/reference/exit-codes.md. A skipped verification is never 0. */
export const EXIT = {
  ok: 0,
  error: 1,
  usage: 2,
  failed: 3,
  objectiveMissed: 4,
  inconclusive: 6,
  different: 7,
  repositoryAbsent: 10,
  locked: 11,
  wrongKey: 12,
  interrupted: 130,
  terminated: 143,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

interface CatalogueEntry {
  exit: ExitCode;
  /** What the code means and what usually causes it, for `pra explain CODE`. */
  explanation: string;
}

export const CATALOGUE = {
  BUG: {
    exit: EXIT.error,
    explanation: 'An error that pra did not foresee. Please report it with the debug output (PRA_DEBUG=1).',
  },
  USAGE: {exit: EXIT.usage, explanation: 'A flag or argument is missing or has a wrong value.'},
  INTERRUPTED: {exit: EXIT.interrupted, explanation: 'The run was stopped by a signal before it ended.'},
  TIMEOUT: {
    exit: EXIT.error,
    explanation: 'Something that pra waited for did not happen before its deadline.',
  },
  PROCESS_FAILED: {exit: EXIT.error, explanation: 'A program that pra started ended with an error.'},
  DISK_FULL: {
    exit: EXIT.error,
    explanation:
      'A file could not be written because the disk or quota is full. What had been completed before stays valid.',
  },

  PLAN_NOT_FOUND: {exit: EXIT.usage, explanation: 'The plan file does not exist or cannot be read.'},
  PLAN_EXISTS: {
    exit: EXIT.usage,
    explanation: '`pra init` would write over a file that is there already. It does so only with --force.',
  },
  PLAN_INVALID: {
    exit: EXIT.usage,
    explanation: 'The plan file is not valid YAML or does not match the plan schema (`pra plan schema`).',
  },
  PLAN_CYCLE: {
    exit: EXIT.usage,
    explanation: 'Groups depend on each other in a circle, so no order of recovery exists.',
  },
  PLAN_UNSUPPORTED: {
    exit: EXIT.usage,
    explanation:
      'The plan uses a field of the schema that this version of pra does not carry out yet. It is refused rather than ignored.',
  },
  PLAN_NO_DATA_PROOF: {
    exit: EXIT.usage,
    explanation:
      'No required probe proves data (`proves: dataPresent` or `dataCurrent`), so a drill would prove only that processes start.',
  },
  PLAN_UNPROTECTED_VOLUME: {
    exit: EXIT.usage,
    explanation:
      'A volume in the scope of the plan has no method that protects it. Choose one, or waive it by name with `method: none`.',
  },

  KUBECONFIG_INVALID: {
    exit: EXIT.usage,
    explanation: 'The kubeconfig is missing, is not readable, or has no such context.',
  },
  CLUSTER_UNREACHABLE: {
    exit: EXIT.error,
    explanation: 'The API server did not answer: network, DNS, TLS, or the server is down.',
  },
  CLUSTER_UNAUTHORIZED: {exit: EXIT.error, explanation: 'The API server refused the credentials (401).'},
  CLUSTER_FORBIDDEN: {
    exit: EXIT.error,
    explanation:
      'The credentials are valid but lack a permission (403). `pra` says which verb on which resource.',
  },
  CLUSTER_REQUEST_FAILED: {exit: EXIT.error, explanation: 'The API server answered a request with an error.'},
  CLUSTER_DISCOVERY_INCOMPLETE: {
    exit: EXIT.error,
    explanation: 'One or more API groups could not be listed, so a snapshot would silently miss objects.',
  },
  EXEC_FAILED: {
    exit: EXIT.error,
    explanation: 'A command run in a container could not be started or ended with an error.',
  },
  PORT_FORWARD_FAILED: {
    exit: EXIT.error,
    explanation: 'A connection to a pod through the API server could not be made.',
  },

  REPOSITORY_ABSENT: {exit: EXIT.repositoryAbsent, explanation: 'There is no repository at this URL.'},
  REPOSITORY_EXISTS: {
    exit: EXIT.usage,
    explanation: 'There is already a repository at this URL; nothing is overwritten.',
  },
  OBJECT_NOT_FOUND: {
    exit: EXIT.usage,
    explanation: 'The snapshot holds no object of that kind and name.',
  },
  REPOSITORY_LOCKED: {
    exit: EXIT.locked,
    explanation: 'Another run prunes the repository, which only one may do at a time.',
  },
  REPOSITORY_LOCK_LOST: {
    exit: EXIT.error,
    explanation:
      'A run was held up (a machine that slept, a store that did not answer) until others could take it for dead. It made nothing count.',
  },
  REPOSITORY_WRONG_KEY: {
    exit: EXIT.wrongKey,
    explanation: 'The passphrase or key opens none of the key slots of the repository.',
  },
  REPOSITORY_KEY_MISSING: {
    exit: EXIT.usage,
    explanation:
      'No key was given, or it cannot be read: set PRA_PASSPHRASE_FILE, PRA_PASSPHRASE, PRA_AGE_IDENTITY_FILE or PRA_KMS_COMMAND.',
  },
  REPOSITORY_KMS_FAILED: {
    exit: EXIT.error,
    explanation:
      'The program that stands for a key management service (PRA_KMS_COMMAND, or kms of the plan) failed, did not end in time, or did not answer with a key.',
  },
  REPOSITORY_KEY_NOT_FOUND: {
    exit: EXIT.usage,
    explanation: 'No key slot has this id (`pra repository key list`).',
  },
  REPOSITORY_LAST_KEY: {
    exit: EXIT.usage,
    explanation: 'Without this key slot nobody could open the repository again. Add another one first.',
  },
  REPOSITORY_CORRUPT: {
    exit: EXIT.error,
    explanation: 'An object of the repository is missing, truncated or altered.',
  },
  REPOSITORY_FORMAT: {exit: EXIT.error, explanation: 'The repository was written by a newer version of pra.'},
  STORE_UNREACHABLE: {exit: EXIT.error, explanation: 'The object store did not answer.'},
  STORE_DENIED: {exit: EXIT.error, explanation: 'The object store refused the credentials or the action.'},
  STORE_FAILED: {exit: EXIT.error, explanation: 'The object store answered with an error.'},
  STORE_MISSING: {
    exit: EXIT.error,
    explanation: 'An object that should be in the store is not there.',
  },
  STORE_CONFLICT: {
    exit: EXIT.locked,
    explanation: 'Another writer was first. Objects of a repository are never overwritten.',
  },
  STORE_CREDENTIALS_MISSING: {
    exit: EXIT.usage,
    explanation: 'No credentials for the object store were found.',
  },
  SNAPSHOT_NOT_FOUND: {exit: EXIT.usage, explanation: 'No snapshot has this id, or the id is ambiguous.'},
  SNAPSHOT_FAILED: {
    exit: EXIT.error,
    explanation: 'The snapshot could not be completed; nothing was listed as a recovery point.',
  },

  VOLUME_DUMP_FAILED: {
    exit: EXIT.failed,
    explanation: 'The dump command in the source did not end well, so its output is not a usable copy.',
  },
  HOOK_FAILED: {
    exit: EXIT.failed,
    explanation:
      'A command of `spec.source.hooks` failed in the source, or no running pod fits it, and the plan does not let that pass. When it is a `post`, the application may still be frozen: the error has the command to run by hand.',
  },
  VOLUME_RESTORE_FAILED: {
    exit: EXIT.failed,
    explanation: 'The data of a volume could not be brought back whole.',
  },
  VOLUME_SAVE_FAILED: {
    exit: EXIT.failed,
    explanation:
      'The data of a volume could not be saved whole, so there is no snapshot. What had been saved of it is used again by the next one.',
  },
  VOLUME_NOT_EMPTY: {
    exit: EXIT.failed,
    explanation:
      'A volume is to be filled from a snapshot and holds something already. pra never writes over data: recover into a new claim, or empty this one yourself.',
  },
  VOLUME_HALF_FILLED: {
    exit: EXIT.failed,
    explanation:
      'A restore began to fill this volume and did not end, so it holds a part of some snapshot. Go on with a restore of the same snapshot, or delete the claim. It is neither saved, nor taken for restored, nor filled from another snapshot.',
  },
  MOVER_FAILED: {
    exit: EXIT.failed,
    explanation:
      'The pod that mounts a volume to save or fill it did not start, or ended while it was at work: its image, its node, a quota, an eviction.',
  },
  MOVER_DENIED: {
    exit: EXIT.failed,
    explanation:
      'The namespace does not allow the pod that mounts a volume, by Pod Security or a policy of its own. `spec.mover.runAs: workload` needs no privileges.',
  },
  RESTIC_FAILED: {
    exit: EXIT.error,
    explanation: 'restic, which moves and keeps volume data, ended with an error.',
  },

  TOOL_MISSING: {
    exit: EXIT.error,
    explanation: 'A program that pra needs is not installed and could not be obtained.',
  },
  TOOL_BUILD_FAILED: {exit: EXIT.error, explanation: 'A program could not be built from its Go module.'},
  PLATFORM_UNSUPPORTED: {exit: EXIT.error, explanation: 'This part of pra needs Linux and root.'},
  LOCAL_CLUSTER_FAILED: {
    exit: EXIT.error,
    explanation: 'The local cluster did not come up, or could not be removed whole.',
  },
  TERRAFORM_FAILED: {exit: EXIT.error, explanation: 'terraform or tofu ended with an error.'},
  TARGET_CONTRACT: {
    exit: EXIT.usage,
    explanation:
      'The Terraform module does not give the outputs that a target must have (docs/reference/target-contract.md).',
  },
  TARGET_REFUSED: {
    exit: EXIT.error,
    explanation: 'A guard refused the target: it is the source, is not empty, or was not made by this run.',
  },

  RESTORE_NOT_FOUND: {
    exit: EXIT.usage,
    explanation: 'This machine knows no restore of this id (`pra restore list`).',
  },
  RESTORE_REFUSED: {
    exit: EXIT.failed,
    explanation:
      'A restore was not begun, because something stands against it that would make the recovery less than whole. Nothing was written. `pra restore preview` shows all of it.',
  },
  RESTORE_FAILED: {exit: EXIT.failed, explanation: 'Objects of the snapshot could not be restored.'},
  WORKLOAD_UNHEALTHY: {
    exit: EXIT.failed,
    explanation: 'A workload did not become healthy before its deadline; the message says what it waits for.',
  },
  PROBE_FAILED: {
    exit: EXIT.failed,
    explanation: 'A probe saw something else than the plan expects.',
  },
  PROBE_INCONCLUSIVE: {
    exit: EXIT.inconclusive,
    explanation:
      'A probe could not tell: it met errors, or got no answer in time. Not passed, and not failed.',
  },
  STEP_FAILED: {exit: EXIT.failed, explanation: 'A scripted step of the plan ended with an error.'},
  APPROVAL_MISSING: {
    exit: EXIT.failed,
    explanation:
      'A manual step of the plan was rejected by an approver, or none of them approved it in time.',
  },
  APPROVAL_REFUSED: {
    exit: EXIT.usage,
    explanation:
      'An approval was not taken: no step waits for it, whoever gave it is no approver of the step, or it was answered before.',
  },
  APPROVAL_INVALID: {
    exit: EXIT.error,
    explanation: 'A file in the folder of a run, through which manual steps are approved, is damaged.',
  },
  DRILL_NOT_FOUND: {exit: EXIT.usage, explanation: 'No drill has this id, or the id is ambiguous.'},
  DRILL_LOCKED: {exit: EXIT.locked, explanation: 'A drill of this plan is already running.'},
  RECORD_INVALID: {
    exit: EXIT.error,
    explanation:
      'A drill record is not valid JSON or does not match its schema (docs/schema/drill.schema.json).',
  },
  RECORD_ALTERED: {
    exit: EXIT.error,
    explanation:
      'The content of a drill record does not have the digest that the record carries: it was changed after the drill.',
  },
  EVIDENCE_FAILED: {exit: EXIT.error, explanation: 'The record and reports of a drill could not be written.'},
  EVIDENCE_EXISTS: {
    exit: EXIT.error,
    explanation: 'The folder already holds the evidence of another drill. Evidence is never overwritten.',
  },
  CLEANUP_FAILED: {exit: EXIT.error, explanation: 'Something that a drill made could not be removed.'},
} as const satisfies Record<string, CatalogueEntry>;

export type ErrorCode = keyof typeof CATALOGUE;

/** Where in a file an error lies, 1-based. */
export interface SourceLocation {
  file: string;
  line?: number;
  column?: number;
}

export interface PraErrorOptions {
  /** Why it happened, as far as it is known. One sentence, no secrets. */
  why?: string | undefined;
  /** What to do next, as commands to paste or short sentences, best first. */
  next?: string[] | undefined;
  location?: SourceLocation | undefined;
  cause?: unknown;
  /** Several findings under one error, for example all mistakes of a plan. */
  findings?: Finding[] | undefined;
}

/** One of several things wrong, reported together so that the user mends them in one go. */
export interface Finding {
  message: string;
  location?: SourceLocation | undefined;
  hint?: string | undefined;
}

/**
 * An error that a user can act on: what happened (message), why, and what to do next.
 * Its exit code comes from the catalogue.
 */
export class PraError extends Error {
  readonly code: ErrorCode;
  readonly why: string | undefined;
  readonly next: readonly string[];
  readonly location: SourceLocation | undefined;
  readonly findings: readonly Finding[];

  constructor(code: ErrorCode, what: string, options: PraErrorOptions = {}) {
    super(what, options.cause === undefined ? undefined : {cause: options.cause});
    this.name = 'PraError';
    this.code = code;
    this.why = options.why;
    this.next = options.next ?? [];
    this.location = options.location;
    this.findings = options.findings ?? [];
  }

  get exitCode(): ExitCode {
    return CATALOGUE[this.code].exit;
  }
}

/** What was thrown as an Error, for streams that take nothing else. */
export const asError = (error: unknown): Error =>
  error instanceof Error ? error : new Error(messageOf(error));

/** The message of anything thrown, without its stack. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** The code that an error carries, such as ENOENT of the system; undefined for one without. */
export function systemCodeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error ? String(error.code) : undefined;
}
