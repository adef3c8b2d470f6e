import {randomBytes} from 'node:crypto';
import {mkdir, writeFile} from 'node:fs/promises';
import {join} from 'node:path';
import {Flags} from '@oclif/core';
import {BaseCommand} from '../cli/base-command.ts';
import {openPlanRepository} from '../cli/wiring.ts';
import {connectCluster} from '../cluster/client.ts';
import {runDrill} from '../drill/run.ts';
import {loadPlan} from '../plan/load.ts';
import {quickstartDir} from '../quickstart/manifests.ts';
import {startSource, stopSource} from '../quickstart/source.ts';
import {formatDuration} from '../std/duration.ts';
import {stateDir} from '../std/paths.ts';
import {requireLinuxRoot} from '../tool/platform.ts';
import {renderDrill} from '../view/drill.ts';
import {openProgress} from '../view/progress.ts';
import {openRestic} from '../volume/restic.ts';

export default class Quickstart extends BaseCommand<typeof Quickstart> {
  static override summary = 'a whole drill between two real clusters on this machine';
  static override description =
    `Brings up a cluster with a small shop (PostgreSQL, a web tier and everything around them), then runs the drill of
plans/quickstart/plan.yaml: snapshot, a second cluster by Terraform, restore, probes, report. Removes both clusters at the end.
Needs Linux and root. Exit codes: those of \`pra drill run\`.`;
  static override examples = ['<%= config.bin %> quickstart', '<%= config.bin %> quickstart --keep'];
  static override flags = {
    keep: Flags.boolean({description: 'leave the source cluster running, to try other commands with'}),
  };

  async run(): Promise<void> {
    requireLinuxRoot();
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
    try {
      const source = await startSource({signal: this.signal, onProgress: tell});
      tell(`ready after ${formatDuration(performance.now() - began)}`);
      this.note('2. the drill');
      await this.drill(
        source.kubeconfigPath,
        [source.images.postgres, source.images.web],
        `file://${join(dir, 'repository')}`,
      );
    } finally {
      if (this.flags.keep)
        this.note(
          `the source is still up; remove it with: node bin/local-cluster.js down --name pra-quickstart`,
        );
      else await stopSource();
    }
    this.note(`done after ${formatDuration(performance.now() - began)}`);
  }

  private async drill(kubeconfig: string, images: string[], url: string): Promise<void> {
    const loaded = await loadPlan(join(quickstartDir(), 'plan.yaml'));
    Object.assign(loaded.plan.spec.target.terraform.vars, {images});
    const {repository, options} = await openPlanRepository(
      {url, options: {}},
      {create: true, signal: this.signal},
    );
    const restic = await openRestic({repository, store: options, signal: this.signal});
    const progress = openProgress({
      interactive: this.interactive,
      color: this.color,
      quiet: this.flags.quiet,
    });
    const finished = await runDrill({
      loaded,
      repository,
      restic,
      choice: {policy: 'fresh'},
      connectSource: () => connectCluster({kubeconfig, userAgent: `pra/${this.config.version}`}),
      toolVersion: this.config.version,
      trigger: process.env.CI ? 'ci' : 'manual',
      reason: 'quickstart',
      signal: this.signal,
      listener: progress.listener,
    }).finally(() => progress.end());
    this.print(finished.record, () => renderDrill(finished.record, finished.evidenceDir));
    this.finish(finished.exitCode);
  }
}
