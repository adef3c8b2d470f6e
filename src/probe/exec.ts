import {Writable} from 'node:stream';
import {CORE_TYPES} from '../cluster/core-types.ts';
import {execInPod} from '../cluster/exec.ts';
import {listAll} from '../cluster/list.ts';
import {isRunning} from '../cluster/running.ts';
import {PraError} from '../errors.ts';
import type {Observe} from './probe.ts';

const MAX_OUTPUT_BYTES = 64 * 1024;

/** A command in a pod ends as the plan expects it. */
export const observeExec: Observe = async (probe, {cluster}, signal) => {
  const wanted = probe.exec;
  if (!wanted) throw new PraError('BUG', 'not an exec probe');
  const pods = await listAll(cluster, CORE_TYPES.Pod, {
    namespace: wanted.namespace,
    labelSelector: wanted.selector,
    signal,
  });
  if (pods.length === 0)
    return {passed: false, message: `no pod in ${wanted.namespace} fits ${wanted.selector}`};
  const pod = pods.find(isRunning)?.metadata.name;
  if (pod === undefined)
    return {passed: false, message: `no pod in ${wanted.namespace} that fits ${wanted.selector} runs`};
  const chunks: Buffer[] = [];
  let size = 0;
  const stdout = new Writable({
    write(chunk: Buffer, _encoding, done) {
      if (size < MAX_OUTPUT_BYTES) chunks.push(chunk);
      size += chunk.length;
      done();
    },
  });
  const container = wanted.container === undefined ? {} : {container: wanted.container};
  const {exitCode} = await execInPod(cluster, {
    namespace: wanted.namespace,
    pod,
    ...container,
    command: wanted.command,
    stdout,
    signal,
  });
  const {expect} = wanted;
  if (exitCode !== expect.exitCode)
    return {
      passed: false,
      message: `exit code ${exitCode}, expected ${expect.exitCode}`,
      expected: expect.exitCode,
      observed: exitCode,
    };
  const output = Buffer.concat(chunks).toString('utf8');
  if (expect.stdoutIncludes === undefined || output.includes(expect.stdoutIncludes))
    return {passed: true, message: `exit code ${exitCode}`, expected: expect.exitCode, observed: exitCode};
  if (size >= MAX_OUTPUT_BYTES)
    throw new PraError('EXEC_FAILED', 'the command writes too much to look through', {
      why: `"${expect.stdoutIncludes}" is not in its first ${MAX_OUTPUT_BYTES / 1024} KiB`,
    });
  return {
    passed: false,
    message: `exit code ${exitCode}, and its output does not contain "${expect.stdoutIncludes}"`,
    expected: expect.stdoutIncludes,
    observed: output.slice(0, 200),
  };
};
