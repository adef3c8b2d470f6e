import {type Document, LineCounter, type ParsedNode, parseAllDocuments, visit} from 'yaml';
import {type Finding, messageOf, type SourceLocation} from '../errors.ts';
import {locateIn, type PlanPath} from './locate.ts';
import {invalidPlan} from './refuse.ts';

/** More than any plan has, and less than what exhausts the stack. */
const MAX_DEPTH = 100;
const TOO_DEEP = 'nested too deep, or an alias stands in what it refers to';

interface ParsedFile {
  value: unknown;
  /** The place of a value in the file; with `key`, that of the field's name. */
  locate(path: PlanPath, key?: boolean): SourceLocation;
}

/**
 * The one document of a YAML text.
 * @throws PraError PLAN_INVALID with all mistakes of syntax.
 */
export function parseYaml(text: string, file: string): ParsedFile {
  const lines = new LineCounter();
  const at = (offset: number): SourceLocation => {
    const {line, col} = lines.linePos(offset);
    return {file, line, column: col};
  };
  const documents = [
    ...parseAllDocuments(text, {lineCounter: lines, uniqueKeys: true, version: '1.2', logLevel: 'error'}),
  ];
  const mistakes = syntaxMistakes(documents, at);
  if (mistakes.length > 0) throw invalidPlan(file, mistakes);
  const [document] = documents;
  if (!document || document.contents === null)
    throw invalidPlan(file, [{message: 'the file is empty', location: at(0)}]);
  const locate = (path: PlanPath, key = false) => locateIn(document, lines, file, path, key);
  const value = readValue(document, file, at);
  const deep = pathBelow(value, MAX_DEPTH);
  if (deep) throw invalidPlan(file, [{message: TOO_DEEP, location: locate(deep)}]);
  return {value, locate};
}

type Place = (offset: number) => SourceLocation;

function syntaxMistakes(documents: readonly Document.Parsed<ParsedNode>[], at: Place): Finding[] {
  const errors = documents.flatMap(document => [...document.errors, ...document.warnings]);
  const overflow = errors.find(error => error.message.includes('call stack'));
  if (overflow) return [{message: TOO_DEEP, location: at(overflow.pos[0])}];
  const [, second] = documents;
  const message = 'one file holds one plan, and this is a second document';
  return [
    ...errors.map(error => ({
      message: (error.message.split(' at line ')[0] ?? error.message).trim(),
      location: at(error.pos[0]),
    })),
    ...(second ? [{message, location: at(second.contents?.range[0] ?? second.range[0])}] : []),
  ];
}

function readValue(document: Document.Parsed<ParsedNode>, file: string, at: Place): unknown {
  try {
    return document.toJS({maxAliasCount: 50});
  } catch (error) {
    const name = /^Unresolved alias.*: (.*)$/.exec(messageOf(error))?.[1];
    const message =
      name === undefined
        ? 'aliases refer to each other too often'
        : `there is no anchor for the alias *${name}, which must be set before it`;
    throw invalidPlan(file, [{message, location: at(aliasIn(document, name))}], error);
  }
}

/** Offset of the first alias of a name, or of the last one of all: by then there are too many. */
function aliasIn(document: Document.Parsed<ParsedNode>, name: string | undefined): number {
  let offset = 0;
  visit(document, {
    Alias(_, alias) {
      offset = alias.range?.[0] ?? offset;
      return alias.source === name ? visit.BREAK : undefined;
    },
  });
  return offset;
}

/** The path of something that lies deeper than so many levels; what contains itself does. */
function pathBelow(value: unknown, levels: number): PlanPath | undefined {
  if (value === null || typeof value !== 'object') return undefined;
  if (levels === 0) return [];
  for (const [key, child] of Object.entries(value)) {
    const rest = pathBelow(child, levels - 1);
    if (rest) return [Array.isArray(value) ? Number(key) : key, ...rest];
  }
  return undefined;
}
