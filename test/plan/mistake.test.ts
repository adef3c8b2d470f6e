import {describe, expect, test} from 'vitest';
import {load, mistakesOf, PLAN, planWith, pointedMistakesOf} from './load.ts';

const PROOF = 'command: [ls]}}';
/** The plan with something after its probe, from line 14 on. */
const and = (text: string) => `${PLAN}${text}\n`;
const probe = (text: string) => and(`    - {name: x, proves: functionWorks, ${text}}`);
const sql = 'sql: {secretRef: db/dsn, query: select 1}';
const volume = (text: string) =>
  planWith('include: {namespaces: [shop]}', `include: {namespaces: [shop]}\n    volumes:\n      - {${text}}`);
const hooks = (text: string) => planWith('include: {', `hooks: [${text}]\n    include: {`);
const step = (text: string) => planWith('select: {}', `select: {}, steps: [{name: s, ${text}}]`);

describe('a mistake of one field is told with its place', () => {
  test.each<[string, string, string]>([
    [
      'an unknown field',
      planWith('rto:', 'rtoo:'),
      '5:rtoo unknown field `rtoo` in spec.objectives (did you mean `rto`?)',
    ],
    [
      'an unknown field of the plan',
      planWith('kind: Plan', 'kind: Plan\nmetdata: {}'),
      '3:metdata unknown field `metdata`',
    ],
    [
      'an unknown field of a list item',
      probe('health: {}, requird: true'),
      '14:requird unknown field `requird` in spec.probes[1] (did you mean `required`?)',
    ],
    [
      'a merge key, which YAML 1.2 does not have',
      planWith('{name: shop}', '{name: shop, <<: {}}'),
      '3:<< unknown field `<<` in metadata (did you mean `annotations`?)',
    ],
    [
      'a field that looks like one of every object',
      planWith('{name: shop}', '{name: shop, __proto__: 1}'),
      '3:__proto__ unknown field `__proto__` in metadata (did you mean `annotations`?)',
    ],
    ['a missing text', planWith('{name: shop}', '{}'), '3:{ `name` is missing in metadata'],
    ['a missing duration', planWith('rto: 45m, ', ''), '5:{ `rto` is missing in spec.objectives'],
    [
      'a missing mapping',
      planWith('{terraform: {dir: terraform/local}}', '{}'),
      '9:{ `terraform` is missing in spec.target',
    ],
    ['a missing choice', planWith('proves: dataPresent, ', ''), '13:{ `proves` is missing in spec.probes[0]'],
    ['a missing constant', planWith('apiVersion: pra/v1\n', ''), '1:kind `apiVersion` is missing'],
    [
      'a missing alternative',
      planWith('include: {', 'hooks: [{name: checkpoint, pre: [sync]}]\n    include: {'),
      '7:{ `select` is missing in spec.source.hooks[0]',
    ],
    ['null', planWith('{rto: 45m, rpo: 1h}', '~'), '5:~ spec.objectives: must be a mapping'],
    [
      'a text for a mapping',
      planWith('select: {}', 'select: all'),
      '11:all spec.groups[0].select: must be a mapping',
    ],
    [
      'a mapping for a list',
      planWith('namespaces: [shop]', 'namespaces: {}'),
      '7:{ spec.source.include.namespaces: must be a list',
    ],
    [
      'an empty list',
      planWith('namespaces: [shop]', 'namespaces: []'),
      '7:[ spec.source.include.namespaces: must not be empty',
    ],
    [
      'an empty text',
      planWith('dir: terraform/local', 'dir: ""'),
      '9:" spec.target.terraform.dir: must not be empty',
    ],
    [
      'a text for a boolean',
      probe('health: {}, required: yes'),
      '14:yes spec.probes[1].required: must be a boolean: true or false',
    ],
    [
      'a wrong choice',
      planWith('dataPresent', 'dataPresentt'),
      '13:dataPresentt spec.probes[0].proves: must be "processUp", "dataPresent", "dataCurrent" or "functionWorks"',
    ],
    ['another version', planWith('pra/v1', 'pra/v2'), '1:pra/v2 apiVersion: must be "pra/v1"'],
    [
      'a duration without a unit',
      planWith('45m', '45'),
      '5:45 spec.objectives.rto: must be a duration, such as 45m, 1h30m or 30d',
    ],
    [
      'a duration in words',
      planWith('45m', '45 minutes'),
      '5:45 spec.objectives.rto: must be a duration, such as 45m, 1h30m or 30d',
    ],
    ['a duration of nothing', planWith('45m', '0s'), '5:0s spec.objectives.rto: must be longer than nothing'],
    [
      'a duration beyond all numbers',
      planWith('45m', `${'9'.repeat(30)}w`),
      '5:999999999999999999999999999999w spec.objectives.rto: is too long a duration',
    ],
    [
      'a fraction for a whole number',
      probe('health: {}, policy: {successes: 1.5}'),
      '14:1.5 spec.probes[1].policy.successes: must be a whole number',
    ],
    [
      'a number that is too small',
      probe('health: {}, policy: {successes: 0}'),
      '14:0 spec.probes[1].policy.successes: must be 1 or more',
    ],
    [
      'a number that is too big',
      probe('tcp: {service: shop/web, port: 70000}'),
      '14:70000 spec.probes[1].tcp.port: must be 65535 or less',
    ],
    [
      'a name with capitals',
      planWith('name: shop', 'name: Shop'),
      '3:Shop metadata.name: must be a name: lower-case letters, digits, dashes and dots, 63 at most, in quotes if it looks like a number',
    ],
    [
      'a name that YAML takes for a number',
      planWith('name: shop', 'name: 1e3'),
      '3:1e3 metadata.name: must be a name: lower-case letters, digits, dashes and dots, 63 at most, in quotes if it looks like a number',
    ],
    [
      'a repository that is no URL',
      planWith('file:///backups', '/backups'),
      '8:" spec.repository.url: must be file:///path or s3://bucket/prefix',
    ],
    [
      'a Service without a namespace',
      probe('tcp: {service: web, port: 80}'),
      '14:web spec.probes[1].tcp.service: must be namespace/name',
    ],
    [
      'a number for a selector',
      volume('select: 3, method: none, reason: r'),
      '9:3 spec.source.volumes[0].select: must be a string or a mapping',
    ],
    [
      'a number for a command',
      step('run: 3'),
      '11:3 spec.groups[0].steps[0].run: must be a string or a list',
    ],
    [
      'a number above the last guard',
      and('  isolation: {waive: [{guard: 21, name: x, reason: y}]}'),
      '14:21 spec.isolation.waive[0].guard: must be 20 or less',
    ],
    [
      'a cron schedule of one field',
      and('  schedule: {cron: daily}'),
      '14:daily spec.schedule.cron: must be a cron schedule of five fields, such as "0 3 * * 1"',
    ],
    [
      'a time zone of no country',
      and('  schedule: {cron: "@daily", timezone: Mars/Base}'),
      '14:Mars/Base spec.schedule.timezone: must be a time zone, such as Europe/Paris',
    ],
    [
      'a version range in words',
      planWith('{dir: terraform/local}', '{dir: terraform/local}, requires: {kubernetes: new}'),
      '9:new spec.target.requires.kubernetes: must be a version range, such as >=1.30',
    ],
  ])('%s', async (_, content, mistake) => {
    const {code, mistakes} = await pointedMistakesOf(content);
    expect(code).toBe('PLAN_INVALID');
    expect(mistakes).toContain(mistake);
  });
});

describe('a mistake between fields is told with its place', () => {
  test.each<[string, string, string]>([
    [
      'a probe of no kind',
      and('    - {name: x, proves: functionWorks}'),
      '14:{ spec.probes[1]: a probe needs one of health, k8s, http, tcp, exec, job, sql, checksum, canary, promql, helmTest, script',
    ],
    [
      'a probe of two kinds',
      probe(`health: {}, ${sql}`),
      '14:{ spec.probes[1]: a probe is of one kind, and this one is of health and sql',
    ],
    [
      'an http probe of nothing',
      probe('http: {}'),
      '14:{ spec.probes[1].http: has either `service` or `url`',
    ],
    [
      'a comparison with two things',
      probe(`${sql}, compare: {equals: 3, baseline: snapshot}`),
      '14:equals unknown field `equals` in spec.probes[1].compare (did you mean `tolerance`?)',
    ],
    [
      'a comparison with nothing',
      probe(`${sql}, compare: {}`),
      '14:{ `baseline` is missing in spec.probes[1].compare',
    ],
    [
      'a comparison that is a number',
      probe(`${sql}, compare: 3`),
      '14:3 spec.probes[1].compare: must be a mapping',
    ],
    [
      'a tolerance in words',
      probe(`${sql}, compare: {baseline: snapshot, tolerance: some}`),
      '14:some spec.probes[1].compare.tolerance: must be a number, or a percentage such as 1%',
    ],
    [
      'a comparison of a probe that gives no value',
      probe('health: {}, compare: {equals: 3}'),
      '14:{ probe x has nothing to compare: only sql and http give a value',
    ],
    [
      'a comparison of an http probe that takes no value',
      probe('http: {service: shop/web}, compare: {equals: 3}'),
      '14:{ probe x has nothing to compare: its http needs expect.json',
    ],
    [
      'a comparison of an http probe that has one',
      probe('http: {service: shop/web, expect: {json: {path: .a, equals: 3}}}, compare: {equals: 4}'),
      '14:{ probe x says twice what is expected: by expect.json.equals and here',
    ],
    [
      'an expectation with an unknown field',
      probe('k8s: {kind: Pod, expect: {jsonPat: .a, equals: 3}}'),
      '14:jsonPat unknown field `jsonPat` in spec.probes[1].k8s.expect (did you mean `jsonPath`?)',
    ],
    [
      'an expectation that is none',
      probe('k8s: {kind: Pod, expect: here}'),
      '14:here spec.probes[1].k8s.expect: must be "present" or "absent" or a mapping',
    ],
    [
      'a count of nothing',
      probe('k8s: {kind: Pod, expect: {count: {}}}'),
      '14:{ spec.probes[1].k8s.expect.count: must have min, max or equals',
    ],
    [
      'a count that nothing can have',
      probe('k8s: {kind: Pod, expect: {count: {min: 3, max: 2}}}'),
      '14:{ no number is 3 at least and 2 at most',
    ],
    [
      'method none without a reason',
      volume('select: {a: b}, method: none'),
      '9:{ spec.source.volumes[0].reason: method none lets the data come back empty, so it needs a `reason`',
    ],
    [
      'method none for whatever there is',
      volume('method: none, reason: r'),
      '9:none spec.source.volumes[0].method: method none lets data come back empty, so it names which: by `select`, `storageClasses`, `drivers` or `size`',
    ],
    [
      'csi without method csi',
      volume('select: {a: b}, method: filesystem, csi: {keep: true}'),
      '9:{ spec.source.volumes[0].csi: `csi` is only for method csi',
    ],
    [
      'a mover without a digest',
      and('  mover: {image: "registry.example.com/pra/mover:1"}'),
      '14:" spec.mover.image: must be an image with its digest, such as registry.example/pra/mover@sha256:…',
    ],
    [
      'method dump without commands',
      volume('select: {a: b}, method: dump'),
      '9:{ spec.source.volumes[0].dump: method dump needs `dump` with a preset or commands',
    ],
    [
      'a dump of nothing',
      volume('select: {a: b}, method: dump, dump: {container: db}'),
      '9:{ spec.source.volumes[0].dump: needs either a `preset`, or a `command` and its `restore`',
    ],
    [
      'a command whose dump nothing brings back',
      volume('select: {a: b}, method: dump, dump: {command: [pg_dump]}'),
      '9:{ spec.source.volumes[0].dump: needs either a `preset`, or a `command` and its `restore`',
    ],
    [
      'an unknown preset',
      volume('select: {a: b}, method: dump, dump: {preset: postgres}'),
      '9:postgres spec.source.volumes[0].dump.preset: must be "postgresql", "mysql", "mariadb", "mongodb" or "redis"',
    ],
    [
      'a preset with a command of one’s own',
      volume('select: {a: b}, method: dump, dump: {preset: mysql, command: [mysqldump]}'),
      '9:[ spec.source.volumes[0].dump.command: preset mysql brings its own `command`',
    ],
    [
      'an option of a preset without one',
      volume('select: {a: b}, method: dump, dump: {command: [a], restore: [b], user: app}'),
      '9:app spec.source.volumes[0].dump.user: `user` is only for a `preset`',
    ],
    [
      'a password in two places',
      volume('select: {a: b}, method: dump, dump: {preset: mysql, passwordEnv: PW, passwordFile: /pw}'),
      '9:/pw spec.source.volumes[0].dump.passwordFile: the password is either in a variable or in a file',
    ],
    [
      'a password in the plan',
      volume('select: {a: b}, method: dump, dump: {preset: mysql, passwordEnv: s3cr-et}'),
      '9:s3cr-et spec.source.volumes[0].dump.passwordEnv: must be the name of a variable of the container, and not the password itself',
    ],
    [
      'one database of Redis',
      volume('select: {a: b}, method: dump, dump: {preset: redis, database: "0"}'),
      '9:" spec.source.volumes[0].dump.database: preset redis saves all databases of the server at once',
    ],
    [
      'commands without method dump',
      volume('select: {a: b}, method: none, reason: r, dump: {command: [a], restore: [b]}'),
      '9:{ spec.source.volumes[0].dump: `dump` is only for method dump',
    ],
    [
      'a step that does nothing',
      step('timeout: 5m'),
      '11:{ spec.groups[0].steps[0]: a step has either `run` or `manual`',
    ],
    [
      'two groups of a name',
      planWith('select: {}}', 'select: {}}\n    - {name: base, select: {}}'),
      '12:base there is already a group base',
    ],
    [
      'two probes of a name',
      and('    - {name: proof, proves: processUp, health: {}}'),
      '14:proof there is already a probe proof',
    ],
    [
      'two hooks of a name',
      hooks('{name: x, select: a, pre: [b]}, {name: x, select: a, pre: [b]}'),
      '7:x there is already a hook x',
    ],
    [
      'a hook that runs nothing',
      hooks('{name: x, select: a, post: []}'),
      '7:{ hook x runs nothing: it needs `pre` or `post`',
    ],
    [
      'a dependency on no group',
      planWith('select: {}', 'select: {}, dependsOn: [bas]}\n    - {name: app, select: {}, dependsOn: [bas]'),
      '12:bas group app depends on bas, which is no group of the plan (did you mean `base`?)',
    ],
    [
      'a probe of no group',
      probe('health: {groups: [base, bass]}'),
      '14:bass probe x names the group bass, which is no group of the plan (did you mean `base`?)',
    ],
    [
      'a canary that nobody writes',
      probe('canary: {}'),
      '14:{ probe x looks for a canary, and spec.source.canary writes none',
    ],
    ['a policy id without an id', and('  recoveryPoint: {policy: id}'), '14:{ policy id needs `id`'],
    [
      'an id without its policy',
      and('  recoveryPoint: {policy: latest, id: abc}'),
      '14:abc `id` is only for policy id, and the policy is latest',
    ],
    ['a policy at without a time', and('  recoveryPoint: {policy: at}'), '14:{ policy at needs `at`'],
    [
      'a time without its policy',
      and('  recoveryPoint: {policy: latest, at: "2026-11-23T03:00:00Z"}'),
      '14:" `at` is only for policy at, and the policy is latest',
    ],
  ])('%s', async (_, content, mistake) => {
    const {code, mistakes} = await pointedMistakesOf(content);
    expect(code).toBe('PLAN_INVALID');
    expect(mistakes).toContain(mistake);
  });
});

test('all mistakes of a plan are told at once, in the order of the file', async () => {
  const content = planWith(PROOF, 'comand: [ls]}}')
    .replace('45m', 'soon')
    .replace(
      '{name: base, select: {}}',
      '{name: base, select: {}, dependsOn: [app]}\n    - {name: app, select: {}, dependsOn: [base]}\n    - {name: other, select: {}}\n    - {name: other, select: {}}',
    )
    .concat('    - {name: proof, proves: x, health: {groups: [nobody]}}\n  schedule: {cron: "@daily"}\n');
  const {code, mistakes} = await mistakesOf(content);
  expect(code).toBe('PLAN_INVALID');
  expect(mistakes).toEqual([
    '5:21 spec.objectives.rto: must be a duration, such as 45m, 1h30m or 30d',
    '11:43 groups depend on each other in a circle: base → app → base',
    '14:14 there is already a group other',
    '16:48 `command` is missing in spec.probes[0].exec',
    '16:85 unknown field `comand` in spec.probes[0].exec (did you mean `command`?)',
    '17:14 there is already a probe proof',
    expect.stringMatching(/^17:29 spec.probes\[1\].proves: must be /),
    '17:50 probe proof names the group nobody, which is no group of the plan (did you mean `base`?)',
    '18:3 `schedule` is not supported yet (schedules)',
  ]);
});

test('a name of a wrong type hides no other mistake and makes none up', async () => {
  const content = planWith(
    '{name: base, select: {}}',
    '{name: 3, select: {}}\n    - {name: app, select: {}, dependsOn: [base]}',
  );
  expect((await mistakesOf(content)).mistakes).toEqual([
    expect.stringMatching(/^11:14 spec.groups\[0\].name: must be a name/),
  ]);
});

describe('a probe that proves data', () => {
  const proof = (text: string) => and(`    - {name: x, proves: dataPresent, ${text}}`);
  const http = 'http: {service: shop/web, expect: ';

  test.each([sql, `${http}{}}`, `${http}{json: {path: count}}}`])(
    'may not take any answer: %s',
    async text => {
      expect((await mistakesOf(proof(text))).mistakes).toEqual([
        expect.stringContaining('probe x proves data, and takes any answer'),
      ]);
    },
  );

  test.each([
    `${sql}, compare: {baseline: snapshot}`,
    `${sql}, compare: {equals: 1}`,
    `${http}{bodyIncludes: orders}}`,
    `${http}{json: {path: count, equals: 5}}}`,
    `${http}{json: {path: count}}}, compare: {baseline: snapshot}`,
  ])('says what it expects: %s', async text => {
    await load(proof(text));
  });
});
