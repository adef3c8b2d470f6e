import {Flags} from '@oclif/core';
import {BaseCommand} from '../cli/base-command.ts';
import {EXIT} from '../errors.ts';
import type {Check, Need} from '../tool/check.ts';
import {diagnose, missingFor} from '../tool/doctor.ts';
import {installMissing} from '../tool/install.ts';
import {renderTable} from '../view/table.ts';

const USES = ['drill', 'local', 'volumes', 'tests'] as const;
const NEEDED = {
  drill: ['always'],
  local: ['always', 'local target'],
  volumes: ['always', 'local target', 'volumes'],
  tests: ['always', 'local target', 'volumes', 'tests'],
} as const satisfies Record<string, readonly Need[]>;

export default class Doctor extends BaseCommand<typeof Doctor> {
  static override summary = 'say what pra needs on this machine, what is missing, and how to get it';
  static override description =
    `Changes nothing, unless --install is given: then Debian packages are installed with apt (as root), and other programs are
downloaded with a checked checksum or built from the Go modules that this project pins, into the cache.

Exit codes: 0 nothing is missing; 1 something is.`;
  static override examples = [
    '<%= config.bin %> doctor',
    '<%= config.bin %> doctor --install',
    '<%= config.bin %> doctor --for drill --json',
  ];
  static override flags = {
    for: Flags.option({options: USES})({
      description:
        'drill: any target; local: the built-in target too; volumes: what fills volumes in it too; tests: all that the tests need',
      default: 'local',
    }),
    install: Flags.boolean({description: 'get what is missing'}),
  };

  async run(): Promise<void> {
    const use = this.flags.for;
    if (this.flags.install) {
      await installMissing({
        for: use === 'tests' || use === 'volumes' ? use : 'local target',
        signal: this.signal,
        onProgress: message => this.note(message),
      });
    }
    const report = await diagnose({signal: this.signal});
    const needs: readonly string[] = NEEDED[use];
    const checks = report.checks.filter(check => needs.includes(check.needed));
    const missing = missingFor(report, NEEDED[use]);
    this.print({apiVersion: 'pra/v1', kind: 'Diagnosis', for: use, ok: missing.length === 0, checks}, () =>
      renderChecks(checks),
    );
    if (missing.length > 0) this.finish(EXIT.error);
  }
}

function renderChecks(checks: readonly Check[]): string {
  const rows = checks.map(check => [
    check.name,
    check.state,
    check.version ?? '',
    check.from ?? '',
    check.fix ?? check.path ?? check.found ?? '',
  ]);
  return renderTable(['NAME', 'STATE', 'VERSION', 'FROM', 'WHERE, OR WHAT TO DO'], rows);
}
