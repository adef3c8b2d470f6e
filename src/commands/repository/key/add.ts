import {Flags} from '@oclif/core';
import {BaseCommand} from '../../../cli/base-command.ts';
import {repositoryFlags} from '../../../cli/flags.ts';
import {keysByFlags, kmsFlag, kmsOf} from '../../../cli/repository-keys.ts';
import {PraError} from '../../../errors.ts';
import {addKey} from '../../../repository/key/add.ts';
import {ageKey} from '../../../repository/key/age.ts';
import {kmsKey} from '../../../repository/key/kms.ts';
import {infoOf} from '../../../repository/key/list.ts';
import {passphraseKey} from '../../../repository/key/passphrase.ts';
import {labelSchema} from '../../../repository/key/slot.ts';
import type {KeyWrapper} from '../../../repository/key/wrapper.ts';
import {readPassphraseFile} from '../../../repository/passphrase.ts';
import {nameOfKey} from '../../../view/key.ts';

const KEYS = ['passphrase-file', 'recipient', 'kms-command'];

export default class RepoKeyAdd extends BaseCommand<typeof RepoKeyAdd> {
  static override summary = 'give a repository one more key slot';
  static override description =
    `The repository is opened with the key that this call has (PRA_PASSPHRASE_FILE, PRA_AGE_IDENTITY_FILE, PRA_KMS_COMMAND). The new
slot is read back and opened; for a recipient whose identity is not here, only its form is checked. Killed at any moment, it
leaves a whole slot or none. To change a passphrase, add the new one, then remove the slot of the old one.

Exit codes: 0 added; 1 the KMS or the store failed; 2 no key, or one that cannot be used; 10 no repository; 12 wrong key.`;
  static override examples = [
    '<%= config.bin %> repository key add -f plan.yaml --passphrase-file new.pass',
    '<%= config.bin %> repository key add -f plan.yaml --label safe --recipient age173raxgcxzett4k2nd5nskull2v4cgadefc0g49qevtlh0uqvtsasrca05d',
    '<%= config.bin %> repository key add --repository s3://dr/shop --kms-command "/etc/pra/kms-aws alias/pra"',
  ];
  static override flags = {
    ...repositoryFlags,
    'passphrase-file': Flags.string({
      description: 'file whose first line is the new passphrase',
      exactlyOne: KEYS,
    }),
    recipient: Flags.string({description: 'public key of age, such as age1…', exactlyOne: KEYS}),
    'kms-command': kmsFlag,
    label: Flags.string({description: 'what the slot is for, shown to everybody who can read the store'}),
  };

  async run(): Promise<void> {
    const label = this.flags.label;
    if (label !== undefined && !labelSchema.safeParse(label).success)
      throw new PraError('USAGE', '--label has 1 to 100 characters, in one line');
    const {store, keys} = await keysByFlags(this.flags, {
      usage: 'pra repository key add',
      signal: this.signal,
    });
    const wrapper = await this.wrapper(keys.identities);
    const {slot, proven} = await addKey(store, wrapper, {...keys, label});
    const info = infoOf({key: '', id: slot.id, state: 'good', slot});
    this.print({apiVersion: 'pra/v1', kind: 'Key', key: info, proven}, () => `added ${nameOfKey(info)}`);
    if (!proven)
      this.note('Its identity is not here, so it was not opened: try it once with PRA_AGE_IDENTITY_FILE.');
  }

  private async wrapper(identities: readonly string[] = []): Promise<KeyWrapper> {
    const {'passphrase-file': file, recipient, 'kms-command': kms} = this.flags;
    if (file !== undefined) return passphraseKey(await readPassphraseFile(file));
    if (recipient !== undefined) return ageKey(identities, recipient);
    return kmsKey(kmsOf(kms) ?? []);
  }
}
