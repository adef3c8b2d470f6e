import {Writable} from 'node:stream';
import {CORE_TYPES} from '../cluster/core-types.ts';
import {execInPod} from '../cluster/exec.ts';
import {listAll} from '../cluster/list.ts';
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
  const pod = pods[0]?.metadata.name;
  if (pod === undefined)
    return {passed: false, message: `no pod in ${wanted.namespace} fits ${wanted.selector}`};
  let output = '';
  const stdout = new Writable({
    write(chunk: Buffer, _encoding, done) {
      if (output.length < MAX_OUTPUT_BYTES) output += chunk.toString('utf8');
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
  const said = expect.stdoutIncludes === undefined || output.includes(expect.stdoutIncludes);
  const passed = exitCode === expect.exitCode && said;
  return {
    passed,
    message: `exit code ${exitCode}${said ? '' : `, and its output does not contain "${expect.stdoutIncludes}"`}`,
    expected: expect.exitCode,
    observed: exitCode,
  };
};
