const WITH_VALUE = new Set(['--kubeconfig', '--context', '--repository', '--output', '-o']);
const WITHOUT_VALUE = new Set(['--json', '--no-color', '--no-input', '--quiet', '-q', '--verbose']);

/**
 * Moves global flags that stand before the command behind it: `pra --context x drill run` is what people who
 * come from kubectl type, and oclif knows flags only after the command.
 */
export function hoistGlobalFlags(args: readonly string[]): string[] {
  const leading: string[] = [];
  let i = 0;
  while (i < args.length) {
    const arg = args[i] ?? '';
    const name = arg.split('=', 1)[0] ?? '';
    if (WITHOUT_VALUE.has(arg) || (WITH_VALUE.has(name) && arg.includes('='))) {
      leading.push(arg);
      i += 1;
    } else if (WITH_VALUE.has(arg) && i + 1 < args.length) {
      leading.push(arg, args[i + 1] ?? '');
      i += 2;
    } else break;
  }
  const rest = args.slice(i);
  return rest.length === 0 || leading.length === 0 ? [...args] : [...rest, ...leading];
}
