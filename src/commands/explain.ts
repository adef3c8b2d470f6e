import {Args} from '@oclif/core';
import closest from 'fastest-levenshtein';
import {BaseCommand} from '../cli/base-command.ts';
import {CATALOGUE, type ErrorCode, PraError} from '../errors.ts';

const isCode = (text: string): text is ErrorCode => Object.hasOwn(CATALOGUE, text);

export default class Explain extends BaseCommand<typeof Explain> {
  static override summary = 'explain an error code';
  static override examples = ['<%= config.bin %> explain PLAN_CYCLE'];
  static override args = {
    code: Args.string({description: 'the code in brackets behind an error', required: true}),
  };
  static override flags = {};

  async run(): Promise<void> {
    const code = this.args.code.toUpperCase();
    if (!isCode(code)) {
      const nearest = closest.closest(code, Object.keys(CATALOGUE));
      const near = nearest !== undefined && closest.distance(code, nearest) <= code.length / 3;
      throw new PraError('USAGE', `there is no error code ${code}`, {
        next: [near ? `pra explain ${nearest}` : 'all codes: docs/reference/exit-codes.md'],
      });
    }
    const {exit, explanation} = CATALOGUE[code];
    this.print(
      {apiVersion: 'pra/v1', kind: 'ErrorCode', code, exitCode: exit, explanation},
      () => `${code} (exit code ${exit})\n\n${explanation}`,
    );
  }
}
