import {expect, test} from 'vitest';
import {DARK, LIGHT, type Palette} from '../../src/evidence/html/palette.ts';

/** Relative luminance of `#rrggbb` (WCAG 2.2). */
function luminance(colour: string): number {
  const [r = 0, g = 0, b = 0] = [1, 3, 5].map(i => {
    const c = Number.parseInt(colour.slice(i, i + 2), 16) / 255;
    return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

function contrast(a: string, b: string): number {
  const [high = 0, low = 0] = [luminance(a), luminance(b)].sort((x, y) => y - x);
  return (high + 0.05) / (low + 0.05);
}

/** What stands on what: text needs 4.5, the bars of the picture 3 (WCAG 1.4.3, 1.4.11). */
const SURFACES = ['page', 'card'] as const;
const TEXTS = ['ink', 'soft', 'good', 'bad', 'warn', 'calm', 'path'] as const;
const TINTS = ['good', 'bad', 'warn', 'calm'] as const;

test.each([
  ['light', LIGHT],
  ['dark', DARK],
])('colours have AA contrast: %s', (_, palette: Palette) => {
  for (const surface of SURFACES) {
    for (const text of TEXTS) expect(contrast(palette[text], palette[surface])).toBeGreaterThanOrEqual(4.5);
    for (const shape of ['bar', 'path', 'bad', 'warn'] as const) {
      expect(contrast(palette[shape], palette[surface]), `${shape} on ${surface}`).toBeGreaterThanOrEqual(3);
    }
  }
  for (const tone of TINTS) {
    const tint = palette[`${tone}Tint`];
    for (const text of [tone, 'ink', 'path'] as const) {
      expect(contrast(palette[text], tint), `${text} on ${tone}`).toBeGreaterThanOrEqual(4.5);
    }
    for (const badge of TINTS)
      expect(contrast(palette[badge], tint), `${badge} on ${tone}`).toBeGreaterThanOrEqual(4.5);
  }
});
