/** The colours of the report by purpose. Text pairs keep WCAG AA contrast in both themes; a test checks it. */
export interface Palette {
  page: string;
  card: string;
  ink: string;
  soft: string;
  rule: string;
  good: string;
  goodTint: string;
  bad: string;
  badTint: string;
  warn: string;
  warnTint: string;
  calm: string;
  calmTint: string;
  path: string;
  bar: string;
}

export const LIGHT: Palette = {
  page: '#f5f7f9',
  card: '#ffffff',
  ink: '#17212b',
  soft: '#4f5d6b',
  rule: '#dce2e8',
  good: '#136a3e',
  goodTint: '#e3f3ea',
  bad: '#ad2018',
  badTint: '#fcebe9',
  warn: '#7f4d00',
  warnTint: '#fcf1dd',
  calm: '#44515f',
  calmTint: '#e9edf1',
  path: '#2257c5',
  bar: '#7f8fa2',
};

export const DARK: Palette = {
  page: '#0f141a',
  card: '#171e26',
  ink: '#e7ecf2',
  soft: '#a3b0bd',
  rule: '#2c3743',
  good: '#62d197',
  goodTint: '#12291e',
  bad: '#ff9a91',
  badTint: '#351a18',
  warn: '#efbb5b',
  warnTint: '#2f2412',
  calm: '#b6c2ce',
  calmTint: '#222b35',
  path: '#82abff',
  bar: '#66788b',
};

/** A palette as CSS custom properties: `goodTint` becomes `--good-tint`. */
export function cssVariables(palette: Palette): string {
  return Object.entries(palette)
    .map(([name, colour]) => `--${name.replace(/[A-Z]/g, letter => `-${letter.toLowerCase()}`)}:${colour};`)
    .join('');
}
