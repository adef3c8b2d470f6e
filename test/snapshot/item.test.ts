import fc from 'fast-check';
import {describe, expect, test} from 'vitest';
import type {KubeObject, ResourceType} from '../../src/cluster/object.ts';
import {KNOWN, ObjectPacker} from '../../src/repository/object-packer.ts';
import {canonicalObject} from '../../src/snapshot/canonical.ts';
import {Item, NULL_CREATION} from '../../src/snapshot/item.ts';
import {lazyObject} from '../../src/snapshot/lazy-object.ts';
import {PageProcessor} from '../../src/snapshot/page-processor.ts';
import {ByteSearch} from '../../src/std/byte-search.ts';
import {ByteSink} from '../../src/std/byte-sink.ts';
import {canonicalJson} from '../../src/std/json.ts';
import {JsonReader, MalformedJson} from '../../src/std/json-reader.ts';

/** As the API server writes it: `<`, `>`, `&` and the line separators escaped. */
const goJson = (value: unknown) =>
  JSON.stringify(value).replace(
    /[<>&\u2028\u2029]/g,
    char => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );

const type = (kind: string, group = ''): ResourceType => ({
  group,
  version: 'v1',
  kind,
  plural: `${kind.toLowerCase()}s`,
  namespaced: true,
  verbs: ['list'],
  shortNames: [],
});

const key = fc.oneof(
  fc.constantFrom(
    'metadata',
    'status',
    'spec',
    'uid',
    'name',
    'kind',
    'managedFields',
    'creationTimestamp',
    'template',
  ),
  fc.string({unit: 'grapheme', maxLength: 6}),
);
const {value: json} = fc.letrec<{value: unknown}>(tie => ({
  value: fc.oneof(
    {depthSize: 'small'},
    fc.constantFrom(
      null,
      true,
      false,
      '',
      '"creationTimestamp":null',
      'a\\"b',
      '</script>&\u2028',
      '{"a":[1}',
    ),
    fc.string({unit: 'binary', maxLength: 80}),
    fc.integer(),
    fc.double({noNaN: true, noDefaultInfinity: true}),
    fc.array(tie('value'), {maxLength: 4}),
    fc.dictionary(key, tie('value'), {maxKeys: 5, noNullPrototype: true}),
  ),
}));
const object = fc
  .record({
    metadata: fc
      .tuple(
        fc.dictionary(key, json, {maxKeys: 6, noNullPrototype: true}),
        fc.stringMatching(/^[a-z][a-z0-9.:-]{0,20}$/),
        fc.constantFrom('a', 'b', undefined),
      )
      .map(([more, name, namespace]) => ({...more, ...(namespace ? {namespace} : {}), name})),
    fields: fc.dictionary(key, json, {maxKeys: 5, noNullPrototype: true}),
    first: fc.boolean(),
  })
  .map(({metadata, fields, first}) => {
    const {metadata: _, apiVersion: __, kind: ___, ...rest} = fields;
    const {namespace, ...own} = metadata;
    const meta = namespace === undefined ? own : {...own, namespace};
    return first ? {metadata: meta, ...rest} : {...rest, metadata: meta};
  });

const parsed = (text: string) => JSON.parse(text) as KubeObject;

function keep(items: readonly unknown[], kind: ResourceType, space?: number): KubeObject[] {
  const text =
    space === undefined ? goJson({kind: 'List', items}) : JSON.stringify({items}, undefined, space);
  const page = Buffer.from(text);
  const reader = new JsonReader(page);
  const found: KubeObject[] = [];
  const head = {apiVersion: Buffer.from('"apiVersion":"v1",'), kind: Buffer.from(`"kind":"${kind.kind}",`)};
  const nulls = kind.group === 'apps' ? new ByteSearch(page, NULL_CREATION) : undefined;
  reader.object();
  while (reader.member()) {
    if (!reader.isKey(Buffer.from('"items"'))) {
      reader.skip();
      continue;
    }
    const item = new Item();
    reader.array();
    while (reader.item()) {
      const sink = new ByteSink(8);
      item.read(reader, page);
      item.write(sink, {head, nulls});
      found.push(parsed(sink.view(0, sink.length).toString()));
    }
  }
  return found;
}

describe('what is kept of an object', () => {
  test('is its canonical form, whatever is in it', () => {
    fc.assert(
      fc.property(fc.array(object, {maxLength: 4}), fc.constantFrom(undefined, 1), (objects, space) => {
        const wanted = objects.map(one => {
          const whole = parsed(JSON.stringify({...one, apiVersion: 'v1', kind: 'ConfigMap'}));
          return canonicalJson({...canonicalObject(whole)});
        });
        const kept = keep(objects, type('ConfigMap'), space).map(one => canonicalJson(canonicalObject(one)));
        expect(kept).toEqual(wanted);
      }),
      {numRuns: 500},
    );
  });

  test('has no status and nothing that the server writes into metadata', () => {
    const [kept] = keep(
      [
        {
          metadata: {
            name: 'a',
            uid: 'u',
            resourceVersion: '1',
            labels: {uid: 'mine'},
            managedFields: [{a: 1}],
            generation: 2,
          },
          spec: {uid: 'mine', status: 'mine'},
          status: {x: 1},
        },
      ],
      type('Thing'),
    );
    expect(kept).toEqual({
      apiVersion: 'v1',
      kind: 'Thing',
      metadata: {name: 'a', labels: {uid: 'mine'}},
      spec: {uid: 'mine', status: 'mine'},
    });
  });

  test('has no time that is null in templates, and keeps the words where they are a value', () => {
    const words = 'it says "creationTimestamp":null, twice: "creationTimestamp":null';
    const spec = (creationTimestamp: null | undefined) => ({
      a: {metadata: {...(creationTimestamp === null ? {creationTimestamp} : {}), labels: {x: words}}},
      b: {metadata: {...(creationTimestamp === null ? {creationTimestamp} : {})}},
      c: {z: words, ...(creationTimestamp === null ? {creationTimestamp} : {})},
    });
    const [kept] = keep([{metadata: {name: 'a'}, spec: spec(null)}], type('Deployment', 'apps'));
    expect(kept?.spec).toEqual(spec(undefined));
  });

  test('is the same from a list and from a watch, which says the kind in every object', () => {
    const body = {metadata: {name: 'a'}, data: {x: 'y'}};
    const packer = new ObjectPacker({frames: Buffer.alloc(32), digests: Buffer.alloc(32)}, undefined);
    const digests = [body, {kind: 'ConfigMap', apiVersion: 'v1', ...body}].map(one => {
      const processor = new PageProcessor({
        select: {namespaces: ['*'], clusterScoped: 'all'},
        keys: {frames: Buffer.alloc(32), digests: Buffer.alloc(32)},
        known: undefined,
      });
      return processor.process(type('ConfigMap'), Buffer.from(goJson({items: [one]}))).objects.digests;
    });
    expect(digests[0]).toEqual(digests[1]);
    expect(packer.frame).not.toBe(KNOWN);
  });

  test('may be a custom resource whose spec and status are anything', () => {
    const odd = [null, 5, 'text', [], [1, {a: 'b'}], {}, {replicas: 'many'}, false];
    const items = odd.flatMap((spec, i) =>
      odd.map((status, j) => ({metadata: {name: `m-${i}-${j}`, generation: 2}, spec, status})),
    );
    for (const kind of [type('Widget', 'shop.example'), type('Deployment', 'apps'), type('Service')]) {
      const processor = new PageProcessor({
        select: {namespaces: ['*'], clusterScoped: 'all'},
        keys: {frames: Buffer.alloc(32), digests: Buffer.alloc(32)},
        known: undefined,
      });
      const {objects} = processor.process(kind, Buffer.from(goJson({items})));
      expect(objects.names).toHaveLength(items.length);
      expect(objects.health.every(health => health !== undefined)).toBe(true);
    }
  });

  test('keeps integers that JavaScript would round', () => {
    const page = Buffer.from('{"items":[{"metadata":{"name":"a"},"spec":{"n":9007199254740993}}]}');
    const reader = new JsonReader(page);
    reader.object();
    reader.member();
    reader.array();
    reader.item();
    const item = new Item();
    item.read(reader, page);
    const sink = new ByteSink(8);
    item.write(sink, {head: {apiVersion: Buffer.from(''), kind: Buffer.from('')}, nulls: undefined});
    expect(sink.view(0, sink.length).toString()).toContain('9007199254740993');
  });
});

describe('input that is not what it should be', () => {
  test('cut off anywhere is an error', () => {
    const text = Buffer.from(
      goJson({kind: 'L', items: [{metadata: {name: 'a', labels: {x: 'ü'}}, data: [1, {a: 'b'}]}]}),
    );
    for (let end = 0; end < text.length; end += 1)
      expect(() => keepBytes(text.subarray(0, end)), `${end}`).toThrow(MalformedJson);
  });

  test('with one byte changed is an error, or what JSON.parse makes of it', () => {
    const text = goJson({
      items: [{metadata: {name: 'a', labels: {x: '"y'}}, data: {n: [1.5, true, null, 'z']}}],
    });
    const bytes = [...'"\\{}[],: x0-.etn', '\n', '\0', '\u00ff'].map(char => char.charCodeAt(0));
    for (let at = 0; at < Buffer.byteLength(text); at += 1)
      for (const byte of bytes) expectSameAsParsed(text, at, byte);
  });
});

function expectSameAsParsed(text: string, at: number, byte: number): void {
  const changed = Buffer.from(text);
  changed[at] = byte;
  let kept: KubeObject[];
  try {
    kept = keepBytes(changed).map(one => parsed(one.toString()));
  } catch (error) {
    expect(error instanceof MalformedJson || error instanceof SyntaxError).toBe(true);
    return;
  }
  const {items = []} = JSON.parse(changed.toString());
  const wanted = items.map((one: KubeObject) =>
    canonicalJson(canonicalObject({...one, apiVersion: one.apiVersion ?? 'v1', kind: one.kind ?? 'X'})),
  );
  expect(kept.map(one => canonicalJson(canonicalObject(one)))).toEqual(wanted);
}

function keepBytes(page: Buffer): Buffer[] {
  const reader = new JsonReader(page);
  const kept: Buffer[] = [];
  const head = {apiVersion: Buffer.from('"apiVersion":"v1",'), kind: Buffer.from('"kind":"X",')};
  let isList = false;
  reader.object();
  while (reader.member()) {
    if (!reader.isKey(Buffer.from('"items"'))) {
      reader.skip();
      continue;
    }
    isList = true;
    if (!reader.array()) continue;
    while (reader.item()) {
      const item = new Item();
      const sink = new ByteSink(8);
      item.read(reader, page);
      item.write(sink, {head, nulls: undefined});
      kept.push(Buffer.from(sink.view(0, sink.length)));
    }
  }
  reader.end();
  if (!isList) throw new MalformedJson('no list');
  return kept;
}

describe('an object that is parsed where it is looked at', () => {
  test('is for its readers like any other', () => {
    fc.assert(
      fc.property(fc.dictionary(key, json, {maxKeys: 6, noNullPrototype: true}), fields => {
        const text = goJson(fields);
        const plain = JSON.parse(text);
        const lazy = lazyObject(Buffer.from(` ${text}`), 1);
        expect(Object.keys(lazy)).toEqual(Object.keys(plain));
        for (const name of [...Object.keys(plain), 'absent', 'toString'])
          expect([name in lazy, lazy[name] === undefined]).toEqual([
            Object.hasOwn(plain, name),
            !Object.hasOwn(plain, name),
          ]);
        expect(JSON.stringify(lazy)).toBe(JSON.stringify(plain));
        expect(JSON.stringify({...lazy})).toBe(JSON.stringify(plain));
        expect(canonicalJson(lazy)).toBe(canonicalJson(plain));
      }),
      {numRuns: 500},
    );
  });
});
