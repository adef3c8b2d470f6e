const LONGEST = 63;

/** Gives names as plans have them, each once: what a plan does not take becomes a dash, and a second one gets a number. */
export function planNames(): (text: string) => string {
  const taken = new Set<string>();
  return text => {
    const wanted = planName(text);
    let name = wanted;
    for (let number = 2; taken.has(name); number += 1) {
      const suffix = `-${number}`;
      name = `${wanted.slice(0, LONGEST - suffix.length)}${suffix}`;
    }
    taken.add(name);
    return name;
  };
}

/** The nearest name that a plan takes. */
export function planName(text: string): string {
  const name = text
    .toLowerCase()
    .replaceAll(/[^-a-z0-9.]+/g, '-')
    .replace(/^[-.]+/, '')
    .slice(0, LONGEST)
    .replace(/[-.]+$/, '');
  return name === '' ? 'plan' : name;
}
