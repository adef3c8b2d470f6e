import {createHash} from 'node:crypto';
import fc from 'fast-check';
import {XMLParser, XMLValidator} from 'fast-xml-parser';
import {describe, expect, test} from 'vitest';
import {stackLabels} from '../../src/evidence/html/scale.ts';
import {html} from '../../src/evidence/html/template.ts';
import {compareValues} from '../../src/evidence/html/value.ts';
import {renderHtml} from '../../src/evidence/html.ts';
import type {DrillRecord} from '../../src/evidence/record.ts';
import {anyRecord, forbiddenCharacters} from './any-record.ts';
import {SAMPLES} from './samples.ts';

/** All that the report may consist of; anything else came from outside. */
const ELEMENTS = new Set(
  `a abbr b body br caption circle code dd details div dl dt footer h1 h2 h3 head header html li line main meta nav ol
  p path pre rect section small span strong style summary svg symbol table tbody td text tfoot th thead time title tr
  ul use`.split(/\s+/),
);
const ATTRIBUTES = new Set(
  `aria-hidden aria-label aria-labelledby charset class content cx cy d data-label datetime height href http-equiv id
  lang name overflow r role rx scope text-anchor title transform viewBox width x x1 x2 y y1 y2`.split(/\s+/),
);

const parser = new XMLParser({
  preserveOrder: true,
  ignoreAttributes: false,
  attributeNamePrefix: '',
  trimValues: false,
  htmlEntities: true,
});

interface Markup {
  elements: string[];
  attributes: [string, string][];
}

/** Every element and attribute of a page that is well-formed. */
function readMarkup(page: string): Markup {
  expect(XMLValidator.validate(page, {allowBooleanAttributes: false})).toBe(true);
  const found: Markup = {elements: [], attributes: []};
  const walk = (nodes: unknown): void => {
    if (!Array.isArray(nodes)) return;
    for (const node of nodes) {
      for (const [name, content] of Object.entries(node)) {
        if (name === ':@')
          found.attributes.push(
            ...Object.entries(node[':@']).map(([k, v]): [string, string] => [k, String(v)]),
          );
        else if (name !== '#text') {
          found.elements.push(name);
          walk(content);
        }
      }
    }
  };
  walk(parser.parse(page.replace(/^<!DOCTYPE html>/, '')));
  return found;
}

function expectHarmless(page: string): void {
  expect(forbiddenCharacters(page)).toEqual([]);
  const {elements, attributes} = readMarkup(page);
  expect(elements.filter(name => !ELEMENTS.has(name))).toEqual([]);
  expect(attributes.filter(([name]) => !ATTRIBUTES.has(name))).toEqual([]);
  expect(attributes.filter(([name, value]) => name === 'href' && !/^#[a-z-]+$/.test(value))).toEqual([]);
  expect(elements.filter(name => name === 'style' || name === 'h1')).toEqual(['style', 'h1']);
}

/** The page as read: tags gone, entities resolved, white space joined. */
const textOf = (page: string) =>
  page
    .replace(/<style>[^<]*<\/style>/, '')
    .replace(/<[^>]*>/g, ' ')
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&quot;', '"')
    .replaceAll('&#39;', "'")
    .replaceAll('&amp;', '&')
    .replace(/\s+/g, ' ');

const firstScreen = (record: DrillRecord) => textOf(renderHtml(record).split('<main')[0] ?? '');

describe('safety', () => {
  test('any record gives a well-formed page with nothing in it but our own elements', () => {
    fc.assert(
      fc.property(anyRecord, record => expectHarmless(renderHtml(record))),
      {numRuns: 60},
    );
  });

  test('hostile text is shown as text', () => {
    const page = renderHtml(SAMPLES.hostile);
    expectHarmless(page);
    expect(page).not.toContain('<script');
    expect(textOf(page)).toContain('<script>alert(1)</script>"\'><img src=x onerror=alert(2)>&amp;');
    expect(page).toContain('[U+202E]gnp.exe');
  });

  test('the page may load, run and send nothing, and its one style sheet is the one it allows', () => {
    const page = renderHtml(SAMPLES.passed);
    const style = /<style>([\s\S]*)<\/style>/.exec(page)?.[1] ?? '';
    const allowed = createHash('sha256').update(style).digest('base64');
    const policy = readMarkup(page).attributes.find(([, value]) => value.startsWith('default-src'))?.[1];
    expect(policy).toBe(
      `default-src 'none'; style-src 'sha256-${allowed}'; base-uri 'none'; form-action 'none'`,
    );
    expect(page).not.toMatch(/https?:\/\/(?!10\.86)/);
    expect(style).not.toMatch(/url\(|@import/);
  });

  test('the html tag escapes all but its own markup', () => {
    expect(html`<p title="${'"x"'}">${['<', html`<b>${1}</b>`, undefined, false]}</p>`.text).toBe(
      '<p title="&quot;x&quot;">&lt;<b>1</b></p>',
    );
  });
});

describe('the first screen', () => {
  test('passed: verdict, objectives with margin, recovery point, cluster, when and who', () => {
    const text = firstScreen(SAMPLES.passed);
    for (const part of [
      'plan shop',
      'Passed All 4 probes passed',
      'Loss of region eu-west-3',
      'T0 to T5 35.2s met with 44m25s to spare (98%)',
      'Objective 45m · −2.1s to the last passed drill',
      'age of the recovery point 6.4s met with 59m54s to spare (99%) Objective 1h',
      '20261123T154505Z-1a2b3c4d 2026-11-23 15:45:05 UTC · latest · 40 objects',
      'local v1.34.4 · https://10.86.0.2:6443 UID d2b7f3c0',
      'claire@ops-1 manual · quarterly drill BIA-12',
    ]) {
      expect(text).toContain(part);
    }
  });

  test('failed: the worst findings stand beside the verdict', () => {
    const text = firstScreen(SAMPLES.failed);
    expect(text).toMatch(
      /Failed 2 of 4 .* critical Table orders is missing .* high The web image cannot be pulled/,
    );
    expect(text).toContain('missed by 8s (13%)');
    expect(text).toContain('missed by 23h (24 times the objective)');
  });

  test('verified but too late is not shown as passed', () => {
    expect(firstScreen(SAMPLES.missed)).toContain('Passed, but an objective was missed');
    expect(renderHtml(SAMPLES.missed)).toContain('<header class="verdict warn">');
    expect(renderHtml(SAMPLES.missed)).toMatch(/class="objective-label"[^>]*>RTO 30s</);
  });

  test('what was never measured says so', () => {
    expect(firstScreen(SAMPLES.inconclusive)).toContain('not measured not shown to be met Objective 45m');
    expect(firstScreen(SAMPLES.aborted)).toMatch(/Aborted .* not measured .* none chosen .* no target/);
  });
});

test('a recovery is called one: what stays is not cleaned up, and people are waited for', () => {
  const page = renderHtml(SAMPLES.recovered);
  expect(page).toContain('Recovery of plan');
  expect(page).toContain('The target of a recovery stays.');
  expect(page).toContain('waited for a person');
  expect(page).toContain('approved by duty-manager');
  expect(page).toContain('20s of it was waiting for people');
  for (const word of ['clean-up included', 'Terraform module', 'isolation not proved', ', drill 2026'])
    expect(page, word).not.toContain(word);
});

describe('the sections', () => {
  test('each has a heading that the navigation leads to', () => {
    const page = renderHtml(SAMPLES.aborted);
    const {attributes} = readMarkup(page);
    const ids = attributes.filter(([name]) => name === 'id').map(([, value]) => value);
    expect(new Set(ids).size).toBe(ids.length);
    const targets = attributes.filter(([name]) => name === 'href' || name === 'aria-labelledby');
    for (const [, target] of targets) expect(ids).toContain(target.replace(/^#/, ''));
  });

  test('the timeline has a bar per step that ran, joins the critical path and draws marks and objective', () => {
    const page = renderHtml(SAMPLES.failed);
    const picture = /<table role="table" class="gantt">[\s\S]*?<\/table>/.exec(page)?.[0] ?? '';
    const ran = SAMPLES.failed.timeline.steps.filter(step => step.startedAt);
    const bars = picture.split('<tbody')[1]?.match(/<rect class="bar /g) ?? [];
    expect(bars).toHaveLength(ran.length);
    expect(picture.match(/<rect class="bar critical/g)).toHaveLength(
      1 + ran.filter(step => step.critical).length,
    );
    expect(picture.match(/<symbol[\s\S]*<\/symbol>/)?.[0].match(/class="mark"/g)).toHaveLength(4);
    expect(picture).toContain('class="link"');
    expect(textOf(picture)).toContain('RTO 1m');
    expect(textOf(picture)).toContain('skipped probe report script its group failed –');
    expect(textOf(picture)).toMatch(
      /failed group web \(critical path\) 3 attempts Deployment shop\/web: 1 of 2 pods/,
    );
  });

  test('findings, data, failures, guards, leftovers and digests are all there', () => {
    const text = textOf(renderHtml(SAMPLES.failed));
    for (const part of [
      'Next pra drill clean 20261124T021500Z-f0011e',
      'orders 1,200 nothing differs',
      'customers 250 250 equal',
      'Secret shop/web-dsn it is in the inventory of the snapshot',
      '35 of 40 objects restored, 4 left out by a rule, 1 failed',
      'Secret 3 2 0 1 0 incomplete',
      'StatefulSet/db shop-db dump 2.2 MiB 1.1 MiB differs',
      'isolation not proved',
      '15 Mail blanked waived Waiver "no-mail-host"',
      'External DNS switch',
      'target not destroyed in 5s, 1 leftover',
      SAMPLES.failed.integrity.digest,
      'view generated from drill.json ; it is not the proof itself',
    ]) {
      expect(text).toContain(part);
    }
  });

  test('every table has a caption and scoped headings', () => {
    for (const record of Object.values(SAMPLES)) {
      const page = renderHtml(record);
      expect(page.match(/<caption>/g)?.length ?? 0).toBe(page.match(/<table /g)?.length ?? 0);
      expect(page.match(/<th (?![^>]*scope=")/g)).toBeNull();
    }
  });

  test('long tables fold, failed rows never do', () => {
    const page = renderHtml(SAMPLES.failed);
    const folded = page.match(/<details>[\s\S]*?<\/details>/g)?.join('') ?? '';
    expect(folded).toContain('16 kinds complete');
    expect(folded).not.toContain('incomplete');
    expect(folded).not.toContain('smtp.acme.example');
  });
});

describe('parts', () => {
  test('labels never cover each other', () => {
    const label = fc.record({x: fc.integer({min: 0, max: 100}), width: fc.integer({min: 1, max: 30})});
    fc.assert(
      fc.property(fc.array(label, {maxLength: 8}), raw => {
        const labels = raw.sort((a, b) => a.x - b.x);
        const rows = stackLabels(labels);
        for (const [i, a] of labels.entries()) {
          for (const [j, b] of labels.entries()) {
            if (i < j && rows[i] === rows[j])
              expect(b.x - a.x).toBeGreaterThanOrEqual((a.width + b.width) / 2);
          }
        }
      }),
    );
  });

  test('values with names are compared by name, whatever form they came in', () => {
    const lines = compareValues([{table: 'orders', count: 3}], [['orders', 3]]);
    expect(lines).toEqual([{name: 'orders', expected: 3, observed: 3, equal: true}]);
    expect(compareValues({a: 1}, undefined)?.[0]).toMatchObject({observed: undefined, equal: false});
    expect(compareValues({a: 1}, 'timeout')).toBeUndefined();
    expect(compareValues([1, 2], [1, 2])).toBeUndefined();
    expect(compareValues({a: {b: 1}}, {a: {b: 1}})).toBeUndefined();
  });
});
