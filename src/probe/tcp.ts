import {PraError} from '../errors.ts';
import {explain, type Observe} from './probe.ts';
import {openService, splitRef} from './service-stream.ts';

const SETTLE_MS = 500;

/** A Service takes connections. A port-forward is accepted before the pod is asked, so a refusal comes a moment later. */
export const observeTcp: Observe = async (probe, {cluster}, signal) => {
  const wanted = probe.tcp;
  if (!wanted) throw new PraError('BUG', 'not a tcp probe');
  const stream = await openService(cluster, {...splitRef(wanted.service), port: wanted.port}, signal);
  const ended = new Promise<string>(resolve => {
    stream.once('error', error => resolve(explain(error)));
    stream.once('close', () => resolve('the connection was closed'));
  });
  const open = new Promise<undefined>(resolve => setTimeout(() => resolve(undefined), SETTLE_MS));
  const refused = await Promise.race([ended, open]);
  stream.destroy();
  signal.throwIfAborted();
  return refused === undefined
    ? {passed: true, message: `${wanted.service}:${wanted.port} takes connections`}
    : {passed: false, message: `${wanted.service}:${wanted.port}: ${refused}`};
};
