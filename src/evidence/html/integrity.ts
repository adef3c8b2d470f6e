import type {DrillRecord} from '../record.ts';
import {formatCode} from './format.ts';
import {type Html, html} from './template.ts';

/** The digests that tie this page to the record, and how to check them without pra. */
export function integrity({
  integrity: {digest, previous, planHash},
  recoveryPoint,
  target,
}: DrillRecord): Html {
  const rows: [string, string | undefined][] = [
    ['This record', digest],
    ['Previous record of this plan', previous],
    ['Plan', planHash],
    ['Snapshot tree', recoveryPoint?.treeDigest],
    ['Terraform module', target?.moduleHash],
  ];
  return html`<p>This page is a view generated from <code>drill.json</code>; it is not the proof itself. The record is
<code>drill.json</code>, and <code>manifest.json</code> beside it holds the SHA-256 of each file.</p>
<dl class="pairs">${rows.map(([name, hash]) => hash !== undefined && html`<dt>${name}</dt><dd>${formatCode(hash)}</dd>`)}</dl>
<p>The first digest can be repeated with any tool:</p>
<pre>jq -cSj 'del(.integrity.digest)' drill.json | sha256sum</pre>`;
}
