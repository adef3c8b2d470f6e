/** The first version number in what a program prints, such as `1.6.20` in `containerd github.com/… 1.6.20~ds1`. */
export function findVersion(text: string): string | undefined {
  return /\d+\.\d+(?:\.\d+)?/.exec(text)?.[0];
}

/** Whether a version is the lowest one that works or a later one; parts that are absent count as 0. */
export function isAtLeast(version: string, lowest: string): boolean {
  const [have, want] = [version, lowest].map(text => text.replace(/^v/, '').split('.').map(Number));
  for (let i = 0; i < 3; i += 1) {
    const difference = (have?.[i] ?? 0) - (want?.[i] ?? 0);
    if (difference !== 0) return difference > 0;
  }
  return true;
}
