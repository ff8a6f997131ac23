/** The written report is that of the table, and tells what is met from what is not. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { largestDifference, largestDifferenceOfAll, type ParityCheck } from './check.ts';
import { parityReport, rowStart, verdictOf } from './report.ts';
import { parityChecks } from './table.ts';

test('docs/parity.md has a row for every claim and no other', () => {
  const report = readFileSync(fileURLToPath(new URL('../../docs/parity.md', import.meta.url)), 'utf8');
  const rows = report.split('\n').filter((line) => /^\| `[^|]+` \| [^|]+ \|[^|]+\|[^|]+\|/.test(line));
  const missing = parityChecks.filter((check) => !rows.some((row) => row.startsWith(rowStart(check))));
  expect(missing.map(rowStart), 'run `npm run parity`').toEqual([]);
  expect(rows.length).toBe(parityChecks.length);
  expect(report).not.toMatch(/EXCEEDED/);
});

test('every claim is there once', () => {
  const names = parityChecks.map(rowStart);
  expect(names.filter((name, at) => names.indexOf(name) !== at)).toEqual([]);
});

describe('a claim that does not hold is seen', () => {
  const check: ParityCheck = {
    folder: 'folder',
    what: 'what',
    tolerance: 1e-5,
    needs: [],
    difference: async () => 0,
  };

  test('by its verdict', () => {
    expect(verdictOf({ check, difference: 1e-5 })).toBe('met');
    expect(verdictOf({ check, difference: 1.1e-5 })).toBe('exceeded');
    expect(verdictOf({ check, difference: Number.NaN })).toBe('exceeded');
    expect(verdictOf({ check: { ...check, unmet: 'reason' }, difference: 1 })).toBe('cannot be met');
    expect(parityReport([{ check, difference: 1 }], 'a machine')).toContain('1 EXCEEDED');
  });

  test('by the largest difference', () => {
    const numbers = (...data: number[]) => ({ data, shape: [data.length] });
    expect(largestDifference(numbers(1, 2), numbers(1, 2.5))).toBe(0.5);
    expect(largestDifference(numbers(1, Number.NaN), numbers(1, 2))).toBe(Number.POSITIVE_INFINITY);
    expect(largestDifference(numbers(1), numbers(1, 2))).toBe(Number.POSITIVE_INFINITY);
    expect(largestDifference({ data: [1, 2], shape: [2, 1] }, numbers(1, 2))).toBe(Number.POSITIVE_INFINITY);
    const expected = new Map([
      ['a', numbers(0, -4)],
      ['b', numbers(1)],
    ]);
    const actual = new Map([
      ['a', numbers(0, -4)],
      ['b', numbers(2)],
    ]);
    expect(largestDifferenceOfAll(actual, expected)).toBe(1);
    expect(largestDifferenceOfAll(actual, expected, 'of the largest')).toBe(0.25);
    actual.delete('b');
    expect(largestDifferenceOfAll(actual, expected)).toBe(Number.POSITIVE_INFINITY);
  });
});
