import {type Html, type HtmlValue, html} from './template.ts';

export interface Column {
  head: string;
  /** Numbers are set right and in figures of one width. */
  numeric?: boolean;
}

export interface TableOptions {
  caption: string;
  columns: readonly Column[];
  /** One cell per column; the first is the row's heading. */
  rows: readonly (readonly HtmlValue[])[];
  /** A last row of totals. */
  total?: readonly HtmlValue[];
}

/**
 * A table with caption and scoped headings. On narrow screens each row becomes a block in which every cell
 * carries its column's name; the roles keep it a table for screen readers there too.
 */
export function table({caption, columns, rows, total}: TableOptions): Html {
  const row = (cells: readonly HtmlValue[]): Html => {
    const parts = columns.map(({head, numeric}, i) => {
      const kind = numeric ? 'num' : 'text';
      if (i > 0)
        return html`<td role="cell" class="${kind}" data-label="${head}"><div>${cells[i]}</div></td>`;
      return html`<th role="rowheader" scope="row"><div>${cells[i]}</div></th>`;
    });
    return html`<tr role="row">${parts}</tr>`;
  };
  const heads = columns.map(
    ({head, numeric}) =>
      html`<th role="columnheader" scope="col" class="${numeric ? 'num' : 'text'}">${head}</th>`,
  );
  return html`<table role="table" class="stack"><caption>${caption}</caption>
<thead role="rowgroup"><tr role="row">${heads}</tr></thead>
<tbody role="rowgroup">${rows.map(row)}</tbody>${total && html`<tfoot role="rowgroup">${row(total)}</tfoot>`}</table>
`;
}

const FOLD_ABOVE = 8;

/** Content folded away on screen when it has many rows; paper always shows it. */
export function fold(rows: number, summary: string, content: Html): Html {
  if (rows === 0) return html``;
  if (rows <= FOLD_ABOVE) return content;
  return html`<details><summary>${summary}</summary>${content}</details>`;
}
