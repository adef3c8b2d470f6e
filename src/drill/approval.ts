import {randomBytes} from 'node:crypto';
import {link, mkdir, readdir, readFile, unlink, writeFile} from 'node:fs/promises';
import {userInfo} from 'node:os';
import {join} from 'node:path';
import {z} from 'zod';
import {PraError, systemCodeOf} from '../errors.ts';
import {sha256} from '../std/json.ts';

const requestSchema = z.object({
  /** Id of the step in the graph of the run. */
  step: z.string(),
  /** Its name in the plan. */
  name: z.string(),
  group: z.string(),
  text: z.string(),
  approvers: z.array(z.string()),
  askedAt: z.iso.datetime(),
  until: z.iso.datetime(),
});

const answerSchema = z.object({
  step: z.string(),
  /** Who of the approvers it was, as they say. */
  by: z.string(),
  /** The account of the system that wrote the answer. */
  operator: z.string(),
  approved: z.boolean(),
  note: z.string().optional(),
  at: z.iso.datetime(),
});

/** A manual step that waits for somebody, as a file in the folder of the run. */
export type ApprovalRequest = z.infer<typeof requestSchema>;
/** What somebody said to it; written once and never changed. */
export type ApprovalAnswer = z.infer<typeof answerSchema>;

const folderOf = (runDir: string) => join(runDir, 'approvals');
const fileOf = (runDir: string, step: string, what: 'request' | 'answer') =>
  join(folderOf(runDir), `${sha256(step).slice(0, 16)}.${what}.json`);

/** Asks for an approval: the request lies in the folder of the run until the run is removed. */
export async function requestApproval(runDir: string, request: ApprovalRequest): Promise<void> {
  await mkdir(folderOf(runDir), {recursive: true, mode: 0o700});
  await writeOnce(fileOf(runDir, request.step, 'request'), request);
}

/** The answer to a request, or undefined while there is none. @throws PraError APPROVAL_INVALID */
export const readAnswer = (runDir: string, step: string): Promise<ApprovalAnswer | undefined> =>
  readJson(fileOf(runDir, step, 'answer'), answerSchema);

/** The requests of a run that nobody answered and whose time is not over, the oldest first. */
export async function openRequests(runDir: string, now: Date): Promise<ApprovalRequest[]> {
  const files = await readdir(folderOf(runDir)).catch(() => []);
  const requests = await Promise.all(
    files
      .filter(name => name.endsWith('.request.json'))
      .map(name => readJson(join(folderOf(runDir), name), requestSchema)),
  );
  const open: ApprovalRequest[] = [];
  for (const request of requests) {
    if (!request || Date.parse(request.until) < now.getTime()) continue;
    if ((await readAnswer(runDir, request.step)) === undefined) open.push(request);
  }
  return open.sort((a, b) => a.askedAt.localeCompare(b.askedAt));
}

/**
 * Answers a request.
 * @throws PraError APPROVAL_REFUSED when the plan does not name this approver, or somebody answered before
 */
export async function answerApproval(
  runDir: string,
  request: ApprovalRequest,
  {by, approved, note}: Pick<ApprovalAnswer, 'by' | 'approved' | 'note'>,
): Promise<ApprovalAnswer> {
  if (!request.approvers.includes(by))
    throw new PraError('APPROVAL_REFUSED', `${by} is not an approver of step ${request.name}`, {
      why: `the plan names ${request.approvers.join(', ')}`,
    });
  const answer: ApprovalAnswer = {
    step: request.step,
    by,
    operator: userInfo().username,
    approved,
    note,
    at: new Date().toISOString(),
  };
  const written = await writeOnce(fileOf(runDir, request.step, 'answer'), answer);
  if (written) return answer;
  const earlier = await readAnswer(runDir, request.step);
  throw new PraError('APPROVAL_REFUSED', `step ${request.name} was answered before`, {
    why: earlier && `${earlier.by} ${earlier.approved ? 'approved' : 'rejected'} it at ${earlier.at}`,
  });
}

/** Makes a file appear whole, or not at all when it is there. @returns whether this call made it */
async function writeOnce(file: string, value: unknown): Promise<boolean> {
  const part = `${file}.${randomBytes(4).toString('hex')}.part`;
  await writeFile(part, JSON.stringify(value, undefined, 2), {flag: 'wx', mode: 0o600});
  try {
    await link(part, file);
    return true;
  } catch (error) {
    if (systemCodeOf(error) === 'EEXIST') return false;
    throw error;
  } finally {
    await unlink(part);
  }
}

async function readJson<T>(file: string, schema: z.ZodType<T>): Promise<T | undefined> {
  try {
    return schema.parse(JSON.parse(await readFile(file, 'utf8')));
  } catch (error) {
    if (systemCodeOf(error) === 'ENOENT') return undefined;
    throw new PraError('APPROVAL_INVALID', `${file} is not an approval as pra writes it`, {
      cause: error,
      next: ['stop the run, and run it again'],
    });
  }
}
