import {styleText} from 'node:util';
import type {PreviewedObject} from '../restore/compare.ts';
import type {RestoreFinding} from '../restore/findings.ts';
import type {KnownRestore, RestoreSummary} from '../restore/journal.ts';
import type {RestorePlan} from '../restore/preview.ts';
import {formatDuration} from '../std/duration.ts';
import {renderField} from './diff.ts';
import {renderTable} from './table.ts';

type Style = 'green' | 'red' | 'yellow' | 'bold' | 'dim';
type Paint = (style: Style, text: string) => string;
const painter =
  (color: boolean): Paint =>
  (style, text) =>
    color ? styleText(style, text, {validateStream: false}) : text;

const ACTIONS = ['create', 'update', 'recreate', 'unchanged', 'leave', 'delete', 'refused'] as const;
const SIGNS: Readonly<Record<PreviewedObject['action'], [sign: string, style: Style]>> = {
  create: ['+', 'green'],
  update: ['~', 'yellow'],
  recreate: ['±', 'yellow'],
  unchanged: ['=', 'dim'],
  leave: ['·', 'dim'],
  delete: ['-', 'red'],
  refused: ['✖', 'red'],
};
/** What is told object by object; the others only by their number, unless all is asked for. */
const TELLING = new Set<PreviewedObject['action']>(['update', 'recreate', 'leave', 'delete', 'refused']);

export interface PreviewView {
  snapshot: string;
  target: string;
  plan: RestorePlan;
  /** Undefined when there is no target to compare with. */
  objects: readonly PreviewedObject[] | undefined;
  findings: readonly RestoreFinding[];
  all: boolean;
  color: boolean;
}

/** `pra restore preview`: the waves, what would change field by field, what is left out, and what stands against it. */
export function renderPreview(view: PreviewView): string {
  const paint = painter(view.color);
  const {plan} = view;
  return [
    [`restore of snapshot ${view.snapshot} into ${view.target}, mode ${plan.mode}: nothing was written`],
    [renderWaves(view)],
    objectLines(view, paint),
    changeLines(view, paint),
    skipLines(plan, paint),
    findingLines(view.findings, paint),
    [conclusion(view)],
  ]
    .filter(lines => lines.length > 0)
    .map(lines => lines.join('\n'))
    .join('\n\n');
}

function renderWaves({plan, objects}: PreviewView): string {
  const rows: string[][] = [];
  const counts = (wave: string) => {
    if (!objects) return [];
    const own = objects.filter(object => object.wave === wave);
    return [
      ACTIONS.map(action => [action, own.filter(object => object.action === action).length] as const)
        .filter(([, count]) => count > 0)
        .map(([action, count]) => `${count} ${action}`)
        .join(', '),
    ];
  };
  const add = (name: string, count: number, wave: string, when: string) =>
    rows.push([String(rows.length + 1), name, String(count), ...(objects ? counts(wave) : []), when]);
  const seen = new Set<string>();
  const addWaves = (when: RestorePlan['waves'][number]['when'], why: string) => {
    for (const wave of plan.waves.filter(one => one.when === when)) {
      if (seen.has(wave.name)) continue;
      seen.add(wave.name);
      const items = plan.waves.filter(one => one.name === wave.name).flatMap(one => one.items);
      add(wave.name, items.filter(({followUp}) => !followUp).length, wave.name, why);
    }
  };
  addWaves('before-groups', '');
  for (const group of plan.groups) {
    const needs = group.dependsOn.length > 0 ? `after ${group.dependsOn.join(', ')} is healthy` : '';
    const starts = group.operators.length + group.workloads.length;
    add(`group ${group.name}: starts ${starts} workloads`, group.late.length, `group ${group.name}`, needs);
  }
  addWaves('after-groups', 'when what answers is ready');
  return renderTable(['WAVE', 'WHAT', 'OBJECTS', ...(objects ? ['ACTIONS'] : []), 'WHEN'], rows);
}

function objectLines({objects, all}: PreviewView, paint: Paint): string[] {
  return (objects ?? [])
    .filter(({action}) => all || TELLING.has(action))
    .flatMap(({ref, action, reason, fields}) => {
      const [sign, style] = SIGNS[action];
      const said = reason === undefined ? '' : `: ${reason}`;
      return [
        `${paint(style, `${sign} ${action} ${ref}`)}${said}`,
        ...fields.flatMap(field => renderField(field, paint)),
      ];
    });
}

/** What rules and transforms alter, by rule; each object when all is asked for. */
function changeLines({plan, all}: PreviewView, paint: Paint): string[] {
  if (plan.changes.length === 0) return [];
  const groups = [
    ...Map.groupBy(plan.changes, ({rule, path, reason}) => `${rule}|${path ?? ''}|${reason}`).values(),
  ];
  return [
    paint('bold', 'altered on the way'),
    ...groups.map(group => {
      const [first] = group;
      const where = group.length === 1 ? (first?.ref ?? '') : `${group.length} objects`;
      const refs = all && group.length > 1 ? `\n${group.map(({ref}) => `      ${ref}`).join('\n')}` : '';
      return `  ${first?.path ?? first?.rule} of ${where}: ${first?.reason}${refs}`;
    }),
  ];
}

function skipLines({skipped}: RestorePlan, paint: Paint): string[] {
  if (skipped.length === 0) return [];
  const groups = [...Map.groupBy(skipped, ({kind, reason}) => `${kind}|${reason}`).values()];
  return [
    paint('bold', `left out (${skipped.length})`),
    ...groups.map(group => {
      const [first] = group;
      return `  ${group.length === 1 ? first?.ref : `${group.length} ${first?.kind}`}: ${first?.reason}`;
    }),
  ];
}

const SEVERITY: Readonly<Record<RestoreFinding['severity'], Style>> = {
  error: 'red',
  warning: 'yellow',
  info: 'dim',
};

/** Errors first; what was said of several objects is said once. */
export function findingLines(findings: readonly RestoreFinding[], paint: Paint): string[] {
  if (findings.length === 0) return [];
  const texts = new Map(findings.map(({severity, message}) => [message, severity]));
  return [
    paint('bold', 'findings'),
    ...[...texts].map(
      ([message, severity]) => `  ${paint(SEVERITY[severity], severity.padEnd(7))} ${message}`,
    ),
  ];
}

function conclusion({plan, objects, findings}: PreviewView): string {
  const errors = findings.filter(({severity}) => severity === 'error').length;
  const counts = ACTIONS.map(action => {
    const count = objects?.filter(object => object.action === action).length ?? 0;
    return count > 0 ? `${count} ${action}` : '';
  }).filter(Boolean);
  const held = `${plan.expected} objects in the selection: ${objects ? counts.join(', ') : `${plan.expected - plan.skipped.length} to create`}, ${plan.skipped.length} left out`;
  return errors === 0
    ? held
    : `${held}; ${errors} ${errors === 1 ? 'error stands' : 'errors stand'} against it`;
}

export interface ResultView {
  id: string;
  result: 'complete' | 'incomplete' | 'interrupted' | 'running';
  snapshot: string;
  target: string;
  summary: RestoreSummary;
  endedBy?: string | undefined;
  color: boolean;
}

const MAX_LINES = 20;

/** The end of `pra restore run`, and `pra restore show`: the result first, then what is not right, then all of it. */
export function renderResult(view: ResultView): string {
  const paint = painter(view.color);
  const {summary} = view;
  const sum = (field: 'expected' | 'restored' | 'skipped' | 'failed') =>
    summary.kinds.reduce((total, kind) => total + kind[field], 0);
  const style = view.result === 'complete' ? 'green' : 'red';
  const list = (title: string, lines: readonly string[]) =>
    lines.length === 0
      ? []
      : [
          paint('bold', `${title} (${lines.length})`),
          ...lines.slice(0, MAX_LINES).map(line => `  ${line}`),
          ...(lines.length > MAX_LINES
            ? [`  and ${lines.length - MAX_LINES} more: pra restore show ${view.id} --json`]
            : []),
        ];
  return [
    [
      `${paint(style, view.result.toUpperCase())}  restore ${view.id} of snapshot ${view.snapshot} into ${view.target}, in ${formatDuration(summary.durationMs)}`,
      ...(view.endedBy === undefined ? [] : [`ended by: ${view.endedBy}`]),
    ],
    list(
      'failed',
      summary.failures.map(({ref, reason}) => `${ref}: ${reason}`),
    ),
    list(
      'not healthy',
      summary.unhealthy.map(({ref, state, reason}) => `${ref} is ${state}: ${reason}`),
    ),
    list(
      'warnings',
      summary.warnings.map(({message}) => message),
    ),
    list('deleted', summary.deleted),
    [
      renderTable(
        ['KIND', 'CAPTURED', 'RESTORED', 'ALTERED', 'SKIPPED', 'FAILED'],
        summary.kinds.map(({kind, expected, restored, changed, skipped, failed}) => [
          kind,
          ...[expected, restored, changed, skipped, failed].map(String),
        ]),
      ),
    ],
    [
      `captured ${sum('expected')} = restored ${sum('restored')} + skipped ${sum('skipped')} + failed ${sum('failed')}`,
      ...(view.result === 'complete' || view.result === 'running'
        ? []
        : [`go on: pra restore run --resume ${view.id}`]),
    ],
  ]
    .filter(lines => lines.length > 0)
    .map(lines => lines.join('\n'))
    .join('\n\n');
}

/** `pra restore list`. */
export function renderRestoreList(restores: readonly KnownRestore[], now: Date): string {
  if (restores.length === 0) return 'no restores yet: pra restore run SNAPSHOT --to CONTEXT';
  return renderTable(
    ['NAME', 'STATE', 'SNAPSHOT', 'TARGET', 'RESTORED', 'FAILED', 'AGE'],
    restores.map(({id, state, request, summary, startedAt}) => [
      id,
      state,
      request.snapshot,
      request.target.context ?? request.target.server,
      summary ? String(summary.kinds.reduce((sum, kind) => sum + kind.restored, 0)) : '-',
      summary ? String(summary.failures.length) : '-',
      formatDuration(now.getTime() - Date.parse(startedAt)),
    ]),
  );
}

/** `pra restore show` of a restore whose end is not in its journal. */
export function renderInterrupted(restore: {
  id: string;
  state: KnownRestore['state'];
  snapshot: string;
  target: string;
  written: number;
}): string {
  const {id, state, snapshot, target, written} = restore;
  return [
    `${state.toUpperCase()}  restore ${id} of snapshot ${snapshot} into ${target}: ${written} objects are done`,
    ...(state === 'running' ? [] : [`go on: pra restore run --resume ${id}`]),
  ].join('\n');
}
