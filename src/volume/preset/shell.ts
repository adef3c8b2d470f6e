/** What the scripts of the presets have in common. They run in containers: POSIX sh, dash or busybox, without bash. */

/** Options of a preset, as the plan has them. */
export interface PresetOptions {
  database?: string | undefined;
  user?: string | undefined;
  passwordEnv?: string | undefined;
  passwordFile?: string | undefined;
  port?: number | undefined;
}

/** Two commands without anything open: the root of a snapshot holds them, and a restore needs nothing else. */
export interface DumpCommands {
  command: string[];
  restore: string[];
}

export const script = (...parts: readonly string[]): string[] => [
  'sh',
  '-c',
  ['set -eu', ...parts].join('\n'),
];

/** A text as one word of a shell. */
export const quote = (text: string) => `'${text.replaceAll("'", `'\\''`)}'`;

/**
 * `first A B` prints the value of the first of these variables that the container has, or what is in the file that
 * it names with _FILE: the two ways in which images take users and passwords.
 */
export const FIRST = `first() {
  for name; do
    eval "value=\\\${$name-} file=\\\${\${name}_FILE-}"
    if [ -n "$value" ]; then printf %s "$value"; return; fi
    if [ -n "$file" ]; then cat "$file"; return; fi
  done
}`;

/** Sets `user`: who the plan says, else the first variable of the image, else what the image takes by itself. */
export const setUser = ({user}: PresetOptions, variables: readonly string[], fallback: string) =>
  user === undefined
    ? `user=$(first ${variables.join(' ')})\nuser=\${user:-${fallback}}`
    : `user=${quote(user)}`;

/** Sets `password`, which may stay empty where the image asks for none. It never becomes an argument of a program. */
export function setPassword(options: PresetOptions, variables: readonly string[]): string {
  const {passwordEnv, passwordFile} = options;
  if (passwordFile !== undefined) return `password=$(cat ${quote(passwordFile)})`;
  if (passwordEnv === undefined) return `password=$(first ${variables.join(' ')})`;
  return `password=$(first ${passwordEnv})
[ -n "$password" ] || { echo 'the container has no variable ${passwordEnv}, or it is empty' >&2; exit 1; }`;
}

const NOT_WHOLE = `[ "$whole" = yes ] || { echo 'the dump was cut off: its end is missing' >&2; exit 1; }`;

/** Last line of a dump in SQL. It is written when all before it ended well, so a dump without it was cut off. */
const END = '-- pra: the dump ends here';
export const SQL_END = `echo '${END}'`;

/**
 * Gives stdin to a command, and fails when it did not end with the last line of a dump. A client takes SQL that was cut off
 * for all there is; without pipefail, what was seen is told through a third stream.
 */
export const wholeSql = (client: string) => `whole=$({
  { last=$(tee /dev/fd/3 | tail -n 1); [ "$last" != '${END}' ] || echo yes >&4; } 3>&1 | ${client} >&2
} 4>&1)
${NOT_WHOLE}`;

/** The same for a dump in bytes: its end is a text of this length, which the command does not see. */
const BYTES_END = 'pra:end-of-dump!';
export const BINARY_END = `printf %s '${BYTES_END}'`;
export const wholeBytes = (client: string) => `whole=$({
  { last=$(tee /dev/fd/3 | tail -c ${BYTES_END.length}); [ "$last" != '${BYTES_END}' ] || echo yes >&4; } 3>&1 |
    head -c -${BYTES_END.length} | ${client} >&2
} 4>&1)
${NOT_WHOLE}`;
