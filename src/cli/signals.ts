import {EXIT, type ExitCode, PraError} from '../errors.ts';

export interface Interruption {
  readonly signal: AbortSignal;
  /** The exit code of the signal that came, 130 or 143. */
  exitCode(): ExitCode;
  dispose(): void;
}

/**
 * Turns SIGINT and SIGTERM into an abort signal. The first asks for an orderly stop; a second SIGINT ends the process
 * at once, after `lastWords` said what is left and how to remove it.
 */
export function listenForSignals(lastWords: () => string | undefined): Interruption {
  const controller = new AbortController();
  let exitCode: ExitCode = EXIT.interrupted;
  const onSignal = (name: NodeJS.Signals) => {
    exitCode = name === 'SIGTERM' ? EXIT.terminated : EXIT.interrupted;
    if (controller.signal.aborted) {
      const words = lastWords();
      if (words) process.stderr.write(`\n${words}\n`);
      process.exit(exitCode);
    }
    controller.abort(new PraError('INTERRUPTED', `stopped by ${name}`));
  };
  process.on('SIGINT', onSignal);
  process.on('SIGTERM', onSignal);
  return {
    signal: controller.signal,
    exitCode: () => exitCode,
    dispose() {
      process.off('SIGINT', onSignal);
      process.off('SIGTERM', onSignal);
    },
  };
}
