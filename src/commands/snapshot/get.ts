import {Args, Flags} from '@oclif/core';
import {BaseCommand} from '../../cli/base-command.ts';
import {repositoryFlags} from '../../cli/flags.ts';
import {openByFlags} from '../../cli/open-repository.ts';
import {PraError} from '../../errors.ts';
import {readEntryObject} from '../../repository/object-set.ts';
import {findRoot} from '../../repository/snapshot-root.ts';
import {entryName, findEntries, findObject, listOf} from '../../snapshot/find.ts';
import {redactSecret} from '../../snapshot/redact.ts';
import {toYaml} from '../../snapshot/yaml.ts';
import {renderEntries} from '../../view/snapshot.ts';

export default class SnapshotGet extends BaseCommand<typeof SnapshotGet> {
  static override summary = 'show objects of a snapshot, as kubectl get does of a cluster';
  static override description =
    `One object is printed as YAML, several as a table, read from the index alone. Values of Secrets are shown only with --show-secrets.

Exit codes: 0; 2 no such kind, object or snapshot; 10 no repository; 12 wrong key.`;
  static override examples = [
    '<%= config.bin %> snapshot get deploy -n shop -f plan.yaml',
    '<%= config.bin %> snapshot get deployment/web -n shop -o yaml -f plan.yaml',
    '<%= config.bin %> snapshot get secret db --show-secrets --snapshot 20261123T154501Z -f plan.yaml',
  ];
  static override args = {
    kind: Args.string({description: 'kind, or KIND/NAME', required: true}),
    name: Args.string({description: 'name of one object'}),
  };
  static override flags = {
    ...repositoryFlags,
    snapshot: Flags.string({description: 'id, a unique beginning of it, or latest', default: 'latest'}),
    namespace: Flags.string({char: 'n', description: 'only in this namespace; all without it'}),
    output: Flags.string({
      char: 'o',
      description: 'form of the result',
      options: ['yaml', 'json', 'name', 'table'],
    }),
    'show-secrets': Flags.boolean({description: 'print the values of Secrets'}),
  };

  async run(): Promise<void> {
    const [kind = '', ofKind, ...more] = this.args.kind.split('/');
    const name = this.args.name ?? ofKind;
    if (more.length > 0 || (ofKind !== undefined && this.args.name !== undefined))
      throw new PraError('USAGE', 'an object is given as KIND/NAME or KIND NAME', {
        next: ['pra snapshot get deployment/web -n shop -f plan.yaml'],
      });
    const {repository, loaded} = await openByFlags(this.flags, {
      usage: `pra snapshot get ${this.args.kind}`,
      signal: this.signal,
    });
    const plan = loaded?.plan.metadata.name;
    const root = await findRoot(repository, this.flags.snapshot, {plan, signal: this.signal});
    const where = {kind, namespace: this.flags.namespace, signal: this.signal};
    const output = this.flags.json ? 'json' : (this.flags.output ?? (name === undefined ? 'table' : 'yaml'));
    if (output === 'table' || output === 'name') {
      const entries = await findEntries(repository, root, {...where, name});
      const text = output === 'name' ? entries.map(entryName).join('\n') : renderEntries(entries);
      process.stdout.write(`${text}\n`);
      return;
    }
    const shown = this.flags['show-secrets'] ? <T>(object: T) => object : redactSecret;
    let document: unknown;
    if (name === undefined) {
      const entries = await findEntries(repository, root, where);
      const objects = [];
      for (const entry of entries)
        objects.push(shown((await readEntryObject(repository, root, entry, {signal: this.signal})).object));
      document = listOf(objects);
    } else {
      document = shown((await findObject(repository, root, {...where, name})).object);
    }
    process.stdout.write(
      output === 'json' ? `${JSON.stringify(document, undefined, 2)}\n` : toYaml(document),
    );
  }
}
