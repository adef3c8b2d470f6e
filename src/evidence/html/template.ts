import {escapeMarkup} from '../escape.ts';

/** Markup that is known to be safe, because only the `html` tag and `rawCss` make it. */
export class Html {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

export type HtmlValue = Html | string | number | undefined | false | readonly HtmlValue[];

/**
 * Template tag that escapes every value that is not itself `Html`. Arrays are joined; undefined and false give
 * nothing. The markup is also well-formed XML (closed tags, quoted attributes), so that tests can parse it.
 */
export function html(strings: TemplateStringsArray, ...values: HtmlValue[]): Html {
  let text = strings[0] ?? '';
  for (const [i, value] of values.entries()) text += textOf(value) + (strings[i + 1] ?? '');
  return new Html(text);
}

function textOf(value: HtmlValue): string {
  if (value === undefined || value === false) return '';
  if (value instanceof Html) return value.text;
  if (typeof value === 'string') return escapeMarkup(value);
  if (typeof value === 'number') return String(value);
  return value.map(textOf).join('');
}
