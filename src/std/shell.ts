const PLAIN = /^[\w@%+=:,./-]+$/;

/** A command as one line to paste into a shell. */
export function shellLine(words: readonly string[]): string {
  return words
    .map(word => (PLAIN.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`))
    .join(' ');
}
