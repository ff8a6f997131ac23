import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { checked, nearest } from '../../../src/train/run/explain.ts';

const schema = z.strictObject({
  until: z.union([
    z.strictObject({ steps: z.int().positive() }),
    z.strictObject({ minutes: z.number().positive() }),
  ]),
  schedule: z.enum(['cosine', 'constant']).default('cosine'),
  optimizer: z.strictObject({ learningRate: z.number(), epsilon: z.number().optional() }),
  tower: z
    .discriminatedUnion('kind', [
      z.strictObject({ kind: z.literal('vit'), width: z.int() }),
      z.strictObject({ kind: z.literal('resnet') }),
    ])
    .optional(),
  names: z.array(z.strictObject({ path: z.string() })).default([]),
  weights: z.partialRecord(z.string().regex(/^[a-z]{2}$/, 'must be two letters'), z.number()).optional(),
});

const good = { until: { steps: 3 }, optimizer: { learningRate: 1 } };

test('defaults are filled in', () => {
  expect(checked(schema, good, 'a.json')).toEqual({ ...good, schedule: 'cosine', names: [] });
});

describe('an error names the field and what it may be', () => {
  test.each([
    [{ ...good, shedule: 'cosine' }, '"shedule" is no field; did you mean "schedule"?'],
    [
      { ...good, seed: 3 },
      '"seed" is no field; there are until, schedule, optimizer, tower, names, weights.',
    ],
    [
      { ...good, optimizer: { learningrate: 3 } },
      '"optimizer.learningrate" is no field; did you mean "learningRate"?',
    ],
    [{ ...good, optimizer: {} }, '"optimizer.learningRate" is missing; it is a number.'],
    [{ ...good, optimizer: { learningRate: '1' } }, '"optimizer.learningRate" must be a number.'],
    [
      { ...good, schedule: 'cosin' },
      '"schedule" must be one of "cosine", "constant"; did you mean "cosine"?',
    ],
    [{ ...good, until: { step: 3 } }, '"until.step" is no field; did you mean "steps"?'],
    [{ ...good, until: { steps: 2.5 } }, '"until.steps" must be a whole number.'],
    [{ ...good, until: { epochs: 3 } }, '"until.epochs" is no field; there are steps, minutes.'],
    [{ ...good, until: { minuts: 3 } }, '"until.minuts" is no field; did you mean "minutes"?'],
    [
      { ...good, tower: { kind: 'vitt', width: 3 } },
      '"tower.kind" must be one of "vit", "resnet"; did you mean "vit"?',
    ],
    [{ ...good, tower: { kind: 'vit' } }, '"tower.width" is missing; it is a number.'],
    [{ ...good, until: 12 }, '"until" must be an object with "steps" or "minutes".'],
    [{ optimizer: { learningRate: 1 } }, '"until" is missing; it is an object with "steps" or "minutes".'],
    [
      { ...good, until: { steps: 3, minutes: 2 } },
      '"until" has "steps" and "minutes", which exclude each other: leave one away.',
    ],
    [{ ...good, weights: { english: 1 } }, '"english" in "weights": must be two letters.'],
    [{ ...good, names: [{ path: 'a' }, { path: 3 }] }, '"names.1.path" must be a string.'],
    [[], 'the whole must be an object of until, schedule, optimizer, tower, names, weights.'],
  ])('%j', (value, message) => {
    expect(() => checked(schema, value, 'a.json')).toThrowError(
      expect.objectContaining({ code: 'invalid_option', message: `a.json: ${message}` }),
    );
  });

  test('and every fault is told', () => {
    expect(() => checked(schema, { until: 3, optimizer: 4 }, 'a.json')).toThrow(
      '"until" must be an object with "steps" or "minutes". "optimizer" must be an object of learningRate, epsilon.',
    );
  });
});

test('a word that is far from all others is not guessed at', () => {
  expect(nearest('batchsize', ['batch', 'seed'])).toBeUndefined();
  expect(nearest('seeds', ['batch', 'seed'])).toBe('seed');
  expect(nearest('bacth', ['batch', 'seed'])).toBe('batch');
});
