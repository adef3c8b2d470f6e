import {styleText} from 'node:util';
import type {Finding, PraError, SourceLocation} from '../errors.ts';

/** How an error is shown: what happened, why, and what to do next, each on lines of its own; never a stack trace. */
export function renderError(error: PraError, options: {color: boolean}): string {
  const paint = painter(options.color);
  const lines = [`${paint('red', '✖')} ${paint('bold', error.message)} ${paint('dim', `[${error.code}]`)}`];
  if (error.location) lines.push(`  at ${renderLocation(error.location)}`);
  if (error.why) lines.push(...indent(error.why, '  why: '));
  for (const finding of error.findings) lines.push(...renderFinding(finding, paint));
  error.next.forEach((step, index) => {
    lines.push(...indent(step, index === 0 ? '  next: ' : '        '));
  });
  return lines.join('\n');
}

function renderFinding(finding: Finding, paint: Paint): string[] {
  const where = finding.location ? `${renderLocation(finding.location)}: ` : '';
  const hint = finding.hint ? paint('dim', ` (${finding.hint})`) : '';
  return indent(`${where}${finding.message}${hint}`, '  • ');
}

/** `file:line:column`, as editors and terminals open it. */
export function renderLocation(location: SourceLocation): string {
  return [location.file, location.line, location.column].filter(part => part !== undefined).join(':');
}

/** The error as one JSON document, for `--json`. */
export function errorDocument(error: PraError): Record<string, unknown> {
  return {
    apiVersion: 'pra/v1',
    kind: 'Error',
    code: error.code,
    message: error.message,
    why: error.why,
    next: error.next,
    location: error.location,
    findings: error.findings.length > 0 ? error.findings : undefined,
    exitCode: error.exitCode,
  };
}

type Paint = (style: 'red' | 'bold' | 'dim', text: string) => string;
const painter =
  (color: boolean): Paint =>
  (style, text) =>
    color ? styleText(style, text, {validateStream: false}) : text;

function indent(text: string, first: string): string[] {
  const rest = ' '.repeat(first.length);
  return text.split('\n').map((line, index) => (index === 0 ? first : rest) + line);
}
