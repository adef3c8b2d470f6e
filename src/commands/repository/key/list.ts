import {BaseCommand} from '../../../cli/base-command.ts';
import {repositoryFlags} from '../../../cli/flags.ts';
import {keysByFlags} from '../../../cli/repository-keys.ts';
import {listKeys} from '../../../repository/key/list.ts';
import {renderKeyList} from '../../../view/key.ts';

export default class RepoKeyList extends BaseCommand<typeof RepoKeyList> {
  static override summary = 'list the key slots of a repository';
  static override description =
    `Needs no key. With one (PRA_PASSPHRASE_FILE, PRA_AGE_IDENTITY_FILE, PRA_KMS_COMMAND), OPENS says which slots it opens, and the
fingerprint of the data key is shown, which a plan can ask for in spec.repository.encryption.fingerprint.

Exit codes: 0; 2 a key was given that cannot be read; 10 no repository.`;
  static override examples = [
    '<%= config.bin %> repository key list -f plan.yaml',
    '<%= config.bin %> repository key list --repository s3://dr/shop --json',
  ];
  static override flags = repositoryFlags;

  async run(): Promise<void> {
    const {store, keys} = await keysByFlags(this.flags, {
      usage: 'pra repository key list',
      signal: this.signal,
    });
    const list = await listKeys(store, keys);
    this.print({apiVersion: 'pra/v1', kind: 'KeyList', ...list}, () => renderKeyList(list, new Date()));
  }
}
