/** Tells whether a name fits one of several globs, where `*` stands for any text and `?` for one character. */
export function matchGlobs(globs: readonly string[]): (name: string) => boolean {
  const exact = new Set(globs.filter(glob => !/[*?]/.test(glob)));
  const patterns = globs.filter(glob => /[*?]/.test(glob)).map(globPattern);
  return name => exact.has(name) || patterns.some(pattern => pattern.test(name));
}

function globPattern(glob: string): RegExp {
  const escaped = glob.replace(/[.+^${}()|[\]\\]/g, String.raw`\$&`);
  return new RegExp(`^${escaped.replaceAll('*', '.*').replaceAll('?', '.')}$`);
}
