import {Flags} from '@oclif/core';
import {BaseCommand} from '../../cli/base-command.ts';
import {repositoryFlags} from '../../cli/flags.ts';
import {keysByFlags, kmsFlag, kmsOf} from '../../cli/repository-keys.ts';
import {PraError} from '../../errors.ts';
import {listKeys} from '../../repository/key/list.ts';
import {initRepository} from '../../repository/repository.ts';
import {renderKeyList} from '../../view/key.ts';

export default class RepoInit extends BaseCommand<typeof RepoInit> {
  static override summary = 'make a repository, with a key slot for each who shall open it';
  static override description =
    `Every key slot opens everything. One is made for the passphrase (PRA_PASSPHRASE_FILE or PRA_PASSPHRASE), for each recipient of
age, given here or in the plan, and for the KMS (--kms-command, PRA_KMS_COMMAND or the plan). Recipients are public: their
identities are not needed here and may lie in a safe. pra snapshot create and pra drill run make a repository too where there is
none; this does it beforehand.

Exit codes: 0 made; 1 the KMS or the store failed; 2 there is a repository already, no key was given, or one is not a recipient.`;
  static override examples = [
    '<%= config.bin %> repository init -f plan.yaml',
    '<%= config.bin %> repository init --repository s3://dr/shop --recipient age173raxgcxzett4k2nd5nskull2v4cgadefc0g49qevtlh0uqvtsasrca05d',
    '<%= config.bin %> repository init -f plan.yaml --no-passphrase --kms-command "/etc/pra/kms-aws alias/pra"',
  ];
  static override flags = {
    ...repositoryFlags,
    recipient: Flags.string({
      description: 'public key of age that can open it too (repeatable)',
      multiple: true,
      multipleNonGreedy: true,
    }),
    'kms-command': kmsFlag,
    'no-passphrase': Flags.boolean({description: 'no key slot for the passphrase'}),
  };

  async run(): Promise<void> {
    const {recipient = [], 'no-passphrase': noPassphrase} = this.flags;
    const {store, keys} = await keysByFlags(this.flags, {usage: 'pra repository init', signal: this.signal});
    if (keys.fingerprint !== undefined) {
      throw new PraError('USAGE', 'the plan accepts one data key alone, and a new repository has another', {
        next: [
          'take spec.repository.encryption.fingerprint out of the plan, and put in the new one afterwards',
        ],
      });
    }
    const recipients = [...(keys.recipients ?? []), ...recipient];
    const kms = kmsOf(this.flags['kms-command']) ?? keys.kms;
    const passphrase = noPassphrase ? undefined : keys.passphrase;
    if (passphrase === undefined && !noPassphrase) {
      throw new PraError('REPOSITORY_KEY_MISSING', 'no passphrase was given for the new repository', {
        next: ['export PRA_PASSPHRASE_FILE=/path/of/a/file', 'or --no-passphrase, with --recipient age1…'],
      });
    }
    const options = {...keys, passphrase, recipients, kms};
    const {id, fingerprint} = await initRepository(store, options);
    const {items} = await listKeys(store, {signal: this.signal});
    this.print({apiVersion: 'pra/v1', kind: 'Repository', id, url: store.url, fingerprint, keys: items}, () =>
      [
        `made a repository at ${store.url}`,
        '',
        renderKeyList({repository: id, items, fingerprint}, new Date()),
      ].join('\n'),
    );
    if (items.length === 1)
      this.note(
        'There is one way in. If that key is lost, so is everything: pra repository key add --recipient age1…',
      );
  }
}
