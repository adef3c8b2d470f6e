import {Command, Errors, Flags, type Interfaces} from '@oclif/core';
import {EXIT, type ExitCode, messageOf, PraError} from '../errors.ts';
import type {ProgressOptions} from '../view/progress.ts';
import {printError} from './print-error.ts';
import {type Interruption, listenForSignals} from './signals.ts';

export type FlagsOf<T extends typeof Command> = Interfaces.InferredFlags<
  (typeof BaseCommand)['baseFlags'] & T['flags']
>;
export type ArgsOf<T extends typeof Command> = Interfaces.InferredArgs<T['args']>;

/**
 * What every command has in common: the global flags, one way to print a result, one way to show an error and choose
 * the exit code, and signals turned into one AbortSignal.
 */
export abstract class BaseCommand<T extends typeof Command> extends Command {
  static override baseFlags = {
    json: Flags.boolean({
      description: 'print the result as one JSON document on stdout',
      helpGroup: 'GLOBAL',
    }),
    color: Flags.boolean({
      description: 'colours in the output',
      allowNo: true,
      default: true,
      helpGroup: 'GLOBAL',
    }),
    quiet: Flags.boolean({char: 'q', description: 'no progress, only the result', helpGroup: 'GLOBAL'}),
  };

  protected flags!: FlagsOf<T>;
  protected args!: ArgsOf<T>;
  private interruption: Interruption | undefined;

  override async init(): Promise<void> {
    await super.init();
    const {args, flags} = await this.parse({
      flags: this.ctor.flags,
      baseFlags: (super.ctor as typeof BaseCommand).baseFlags,
      args: this.ctor.args,
      strict: this.ctor.strict,
    });
    this.flags = flags as FlagsOf<T>;
    this.args = args as ArgsOf<T>;
  }

  /** Aborts at the first SIGINT or SIGTERM. */
  protected get signal(): AbortSignal {
    this.interruption ??= listenForSignals(() => this.lastWords());
    return this.interruption.signal;
  }

  /** What a second Ctrl-C says before the process ends at once. */
  protected lastWords(): string | undefined {
    return undefined;
  }

  /** Whether progress may be drawn in place: a terminal that a person watches. */
  protected get interactive(): boolean {
    return Boolean(process.stderr.isTTY) && !process.env.CI && !this.flags.json;
  }

  protected get color(): boolean {
    return (
      this.flags?.color !== false &&
      !process.env.NO_COLOR &&
      (Boolean(process.stderr.isTTY) || Boolean(process.env.FORCE_COLOR))
    );
  }

  /** How the progress of a run is shown. */
  protected get view(): ProgressOptions {
    return {interactive: this.interactive, color: this.color, quiet: this.flags.quiet};
  }

  /** The result: the document with `--json`, otherwise the text, on stdout. */
  protected print(document: unknown, text: () => string): void {
    process.stdout.write(`${this.flags.json ? JSON.stringify(document, undefined, 2) : text()}\n`);
  }

  /** Something for the person at the terminal, on stderr. */
  protected note(text: string): void {
    if (!this.flags.quiet) process.stderr.write(`${text}\n`);
  }

  /** Ends the command with this exit code, its result having been printed; what a signal ended has that of the signal. */
  protected finish(code: ExitCode): void {
    process.exitCode =
      code === EXIT.interrupted && this.interruption?.signal.aborted ? this.interruption.exitCode() : code;
  }

  protected override async catch(error: unknown): Promise<void> {
    this.parsed = true; // oclif warns about commands that end before they parsed, which a wrong flag makes them do
    const shown = this.toPraError(error);
    printError(shown, {json: this.argv.includes('--json'), color: this.color});
    if (process.env.PRA_DEBUG && error instanceof Error)
      process.stderr.write(`${error.stack}\n${String(error.cause ?? '')}\n`);
    process.exitCode = this.interruption?.signal.aborted ? this.interruption.exitCode() : shown.exitCode;
  }

  protected override async finally(error: Error | undefined): Promise<void> {
    this.interruption?.dispose();
    await super.finally(error);
  }

  private toPraError(error: unknown): PraError {
    if (error instanceof PraError) return error;
    if (this.interruption?.signal.aborted) return new PraError('INTERRUPTED', 'stopped before the end');
    if (error instanceof Errors.CLIError) {
      const [what = '', ...rest] = error.message.replace(/\n?See more help with --help$/, '').split('\n');
      return new PraError('USAGE', what.replace(/:$/, ''), {
        why: rest.join('\n').trim() || undefined,
        next: [`pra ${this.id?.replaceAll(':', ' ') ?? ''} --help`],
      });
    }
    return new PraError('BUG', `pra failed in a way that it did not foresee: ${messageOf(error)}`, {
      next: ['run it again with PRA_DEBUG=1 and report the output'],
      cause: error,
    });
  }
}
