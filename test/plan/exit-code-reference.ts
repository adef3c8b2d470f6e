import {CATALOGUE, EXIT} from '../../src/errors.ts';

const MEANINGS: Record<keyof typeof EXIT, string> = {
  ok: 'success, or a drill that passed with its objectives met',
  error: 'an error, or a bug of pra',
  usage: 'usage, or a plan that is not valid',
  failed: 'a drill failed or came back in part, or something it made could not be removed',
  objectiveMissed: 'verified, but an objective (RTO, RPO) was missed',
  inconclusive: 'inconclusive: something that had to be proved was not',
  different: 'Two things that were compared differ, and the command was asked to say so (`--exit-code`).',
  repositoryAbsent: 'there is no repository at this URL',
  locked: 'locked by another process',
  wrongKey: "the passphrase opens none of the repository's keys",
  interrupted: 'interrupted',
  terminated: 'terminated',
};

/** The page docs/reference/exit-codes.md. */
export function exitCodeReference(): string {
  const exits = Object.entries(MEANINGS).map(
    ([name, meaning]) => `| ${Object.entries(EXIT).find(([key]) => key === name)?.[1]} | ${meaning} |`,
  );
  const codes = Object.entries(CATALOGUE).map(
    ([code, {exit, explanation}]) => `| \`${code}\` | ${exit} | ${explanation.replaceAll('|', '\\|')} |`,
  );
  return `# Exit codes

Generated from \`src/errors.ts\`; do not edit.

| exit code | meaning |
| --- | --- |
${exits.join('\n')}

A verification that was skipped never gives 0.

## Error codes

The code stands in brackets behind an error, and in \`code\` with \`--json\`. \`pra explain CODE\` shows the same.

| code | exit code | meaning |
| --- | --- | --- |
${codes.join('\n')}
`;
}
