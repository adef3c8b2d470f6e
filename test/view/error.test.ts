import {describe, expect, it} from 'vitest';
import {PraError} from '../../src/errors.ts';
import {errorDocument, renderError} from '../../src/view/error.ts';
import {renderTable} from '../../src/view/table.ts';

describe('renderError', () => {
  it('says what happened, where, why, all findings, and what to do next', () => {
    const error = new PraError('PLAN_INVALID', 'the plan has 2 mistakes', {
      why: 'line one\nline two',
      location: {file: 'plan.yaml', line: 3, column: 5},
      findings: [
        {message: 'unknown field', location: {file: 'plan.yaml', line: 3}, hint: 'did you mean rto?'},
      ],
      next: ['mend it', 'pra plan validate plan.yaml'],
    });
    expect(renderError(error, {color: false})).toBe(
      [
        '✖ the plan has 2 mistakes [PLAN_INVALID]',
        '  at plan.yaml:3:5',
        '  why: line one',
        '       line two',
        '  • plan.yaml:3: unknown field (did you mean rto?)',
        '  next: mend it',
        '        pra plan validate plan.yaml',
      ].join('\n'),
    );
  });

  it('as a document carries the exit code', () => {
    expect(errorDocument(new PraError('REPOSITORY_ABSENT', 'none'))).toMatchObject({
      code: 'REPOSITORY_ABSENT',
      exitCode: 10,
    });
  });
});

describe('renderTable', () => {
  it('pads columns and leaves no trailing space', () => {
    expect(
      renderTable(
        ['NAME', 'AGE'],
        [
          ['a-long-name', '5s'],
          ['b', ''],
        ],
      ),
    ).toBe('NAME         AGE\na-long-name  5s\nb');
  });
});
