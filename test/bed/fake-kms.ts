import {randomBytes} from 'node:crypto';
import {writeFile} from 'node:fs/promises';
import {join} from 'node:path';

/** How the child of one that hangs is found. */
export const SLEEP = '31.4159';

/** What the program does wrong. */
const FAULTS = {
  none: '',
  hangs: `require('node:child_process').spawn('sleep', ['${SLEEP}'], {stdio: 'inherit'}); return;`,
  talks: `process.stdout.write('x'.repeat(1e6)); setTimeout(() => {}, 30_000); return;`,
  leaks: `console.error('trace: ' + input + '\\naccess denied'); process.exit(3);`,
  forgets: `if (verb === 'unwrap') return console.log(crypto.randomBytes(32).toString('base64'));`,
  passes: `return console.log(input);`,
  says: `return console.log(JSON.stringify(process.env));`,
  silent: `return;`,
  binary: `return process.stdout.write(Buffer.from([0, 255, 7]));`,
};
export type KmsFault = keyof typeof FAULTS;

/**
 * A program as docs/keys.md asks for, with a key of its own, in place of a cloud's: it can be made to fail on demand.
 * @returns the command
 */
export async function writeFakeKms(dir: string, fault: KmsFault = 'none'): Promise<string[]> {
  const file = join(dir, `kms-${fault}-${randomBytes(4).toString('hex')}`);
  const script = `#!${process.execPath}
const crypto = require('node:crypto');
const [key, verb] = process.argv.slice(2);
const input = require('node:fs').readFileSync(0, 'utf8');
(() => {
  ${FAULTS[fault]}
  if (verb === 'wrap') {
    const nonce = crypto.randomBytes(12);
    const cipher = crypto.createCipheriv('aes-256-gcm', Buffer.from(key, 'hex'), nonce);
    console.log(Buffer.concat([nonce, cipher.update(input), cipher.final(), cipher.getAuthTag()]).toString('base64'));
  } else {
    const bytes = Buffer.from(input, 'base64');
    const decipher = crypto.createDecipheriv('aes-256-gcm', Buffer.from(key, 'hex'), bytes.subarray(0, 12));
    decipher.setAuthTag(bytes.subarray(-16));
    process.stdout.write(Buffer.concat([decipher.update(bytes.subarray(12, -16)), decipher.final()]));
  }
})();
`;
  await writeFile(file, script, {mode: 0o700});
  return [file, randomBytes(32).toString('hex')];
}
