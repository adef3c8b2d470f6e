import {randomBytes} from 'node:crypto';
import {mkdir, rm, writeFile} from 'node:fs/promises';
import {join} from 'node:path';
import {Flags} from '@oclif/core';
import {BaseCommand} from '../cli/base-command.ts';
import {rehearse} from '../cli/rehearse.ts';
import {connectCluster} from '../cluster/client.ts';
import {loadPlan} from '../plan/load.ts';
import {quickstartDir} from '../quickstart/manifests.ts';
import {type Source, startSource, stopSource} from '../quickstart/source.ts';
import {formatDuration} from '../std/duration.ts';
import {packageRoot, stateDir} from '../std/paths.ts';
import {requireLinuxRoot} from '../tool/platform.ts';
import {renderDrill} from '../view/drill.ts';

const PRA = join(packageRoot(), 'bin', 'pra');
const PLAN = join(quickstartDir(), 'plan.yaml');

export default class Quickstart extends BaseCommand<typeof Quickstart> {
  static override summary = 'a whole drill between two real clusters on this machine';
  static override description =
    `Brings up a cluster with a small shop (PostgreSQL, a web tier and everything around them), then runs the drill of
plans/quickstart/plan.yaml: snapshot, a second cluster by Terraform, restore, probes, report. Removes both clusters at the end.
Needs Linux and root. Exit codes: those of \`pra drill run\`.`;
  static override examples = [
    '<%= config.bin %> quickstart',
    '<%= config.bin %> quickstart --keep',
    '<%= config.bin %> quickstart --down',
  ];
  static override flags = {
    keep: Flags.boolean({description: 'leave the source cluster running, to try other commands with'}),
    down: Flags.boolean({
      description: 'only remove the source cluster that --keep left',
      exclusive: ['keep'],
    }),
  };

  async run(): Promise<void> {
    requireLinuxRoot();
    if (this.flags.down) return this.down();
    const began = performance.now();
    const tell = (message: string) => this.note(`   ${message}`);
    const dir = join(stateDir(), 'quickstart');
    await mkdir(dir, {recursive: true, mode: 0o700});
    const passphraseFile = join(dir, 'passphrase');
    await writeFile(passphraseFile, `${randomBytes(24).toString('base64url')}\n`, {
      mode: 0o600,
      flag: 'wx',
    }).catch(() => undefined);
    process.env.PRA_PASSPHRASE_FILE ??= passphraseFile;

    this.note('1. a source cluster with a shop in it');
    await stopSource();
    // Sample data of an earlier quickstart, perhaps of another version of pra.
    await rm(join(dir, 'repository'), {recursive: true, force: true});
    const where = `file://${join(dir, 'repository')}`;
    let kept = false;
    try {
      const source = await startSource({signal: this.signal, onProgress: tell});
      tell(`ready after ${formatDuration(performance.now() - began)}`);
      this.note('2. the drill');
      await this.drill(source, where);
      kept = this.flags.keep;
      if (kept) this.tellKept(source, where);
    } finally {
      if (!kept) await stopSource();
    }
    this.note(`done after ${formatDuration(performance.now() - began)}`);
  }

  private async down(): Promise<void> {
    const removed = await stopSource();
    this.print({apiVersion: 'pra/v1', kind: 'QuickstartRemoval', removed}, () =>
      removed
        ? 'removed the source cluster of the quickstart'
        : 'there is no source cluster of the quickstart',
    );
  }

  private async drill(source: Source, where: string): Promise<void> {
    const loaded = await loadPlan(PLAN);
    Object.assign(loaded.plan.spec.target.terraform.vars, {images: Object.values(source.images)});
    const finished = await rehearse({
      loaded,
      where: {url: where, options: {}},
      choice: {policy: 'fresh'},
      connectSource: () =>
        connectCluster({kubeconfig: source.kubeconfigPath, userAgent: `pra/${this.config.version}`}),
      toolVersion: this.config.version,
      trigger: process.env.CI ? 'ci' : 'manual',
      reason: 'quickstart',
      signal: this.signal,
      view: this.view,
      note: text => this.note(text),
    });
    this.print(finished.record, () => renderDrill(finished.record, finished.evidenceDir));
    this.note(`the report is ${join(finished.evidenceDir, 'report.html')}`);
    this.finish(finished.exitCode);
  }

  /** What a person needs to go on with the source that was kept. */
  private tellKept(source: Source, where: string): void {
    this.note(`
the source is still up. To go on with it:
  export PRA_KUBECONFIG=${source.kubeconfigPath}
  export PRA_REPOSITORY=${where}
  export PRA_PASSPHRASE_FILE=${process.env.PRA_PASSPHRASE_FILE}
  ${PRA} drill run ${PLAN} --var 'images=${JSON.stringify(Object.values(source.images))}'
and to remove it:
  ${PRA} quickstart --down
`);
  }
}
