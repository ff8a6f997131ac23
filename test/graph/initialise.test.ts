/** First values are the same for a seed, differ between parameters, and are distributed as asked. */
import { expect, test } from 'vitest';
import { initialValues, normal, ones, randomNumbers, uniform, zeros } from '../../src/graph/initialise.ts';
import { add, parameter, reduceSum } from '../../src/graph/operations.ts';
import { parametersOf } from '../../src/graph/value.ts';

function values(name: string, initialiser: Parameters<typeof parameter>[2], seed: number, size = 10_000) {
  const { node } = parameter(name, [size / 10, 10], initialiser);
  if (node.operator !== 'parameter') throw new Error('no parameter');
  return initialValues(node.attributes, seed);
}

test('a seed and a name give the same numbers each time', () => {
  expect(values('a', normal(0.02), 7)).toEqual(values('a', normal(0.02), 7));
  expect(Array.from(values('a', normal(1), 7, 10), (value) => value.toFixed(5))).toMatchInlineSnapshot(`
    [
      "1.15485",
      "-1.01014",
      "-1.78397",
      "-0.26009",
      "0.29173",
      "-1.28873",
      "-1.40532",
      "0.32401",
      "0.41678",
      "-0.83046",
    ]
  `);
});

test('another seed or name gives numbers that have nothing in common', () => {
  const first = values('a', normal(1), 7);
  for (const other of [values('a', normal(1), 8), values('b', normal(1), 7), values('ab', normal(1), 7)]) {
    const correlation = first.reduce((sum, value, i) => sum + value * other[i]!, 0) / first.length;
    expect(Math.abs(correlation)).toBeLessThan(0.04); // four deviations of 10,000 products
  }
});

test('the order of parameters does not matter', () => {
  const [a, b] = ['a', 'b'].map((name) => parameter(name, [3], normal(1)));
  const begin = (first: typeof a, second: typeof b) => {
    const loss = reduceSum(add(first!, second!), [0]);
    return new Map(
      parametersOf([loss]).map((node) => [node.attributes.name, initialValues(node.attributes, 1)]),
    );
  };
  expect(Object.fromEntries(begin(a, b))).toEqual(Object.fromEntries(begin(b, a)));
});

test('mean, deviation and bounds are those asked for', () => {
  const bell = moments(values('bell', normal(0.02), 3, 100_000));
  expect(Math.abs(bell.mean)).toBeLessThan((0.02 * 4) / Math.sqrt(100_000));
  expect(bell.deviation / 0.02).toBeCloseTo(1, 1.7);
  // A normal distribution has 4.55 % beyond two deviations.
  const far = values('bell', normal(0.02), 3, 100_000).filter((value) => Math.abs(value) > 0.04).length;
  expect(far / 100_000).toBeGreaterThan(0.0428);
  expect(far / 100_000).toBeLessThan(0.0482);

  const flat = values('flat', uniform(0.5), 3, 100_000);
  const { mean, deviation } = moments(flat);
  expect(Math.abs(mean)).toBeLessThan(0.004);
  expect(deviation).toBeCloseTo(0.5 / Math.sqrt(3), 2);
  expect(flat.every((value) => Math.abs(value) <= 0.5)).toBe(true);
  expect(Math.max(...flat)).toBeGreaterThan(0.499);
  expect(new Set(values('none', zeros, 3))).toEqual(new Set([0]));
  expect(new Set(values('one', ones, 3))).toEqual(new Set([1]));
});

test('random numbers lie in [0, 1) and do not repeat soon', () => {
  const random = randomNumbers(0);
  const drawn = Array.from({ length: 10_000 }, random);
  expect(drawn.every((value) => value >= 0 && value < 1)).toBe(true);
  expect(new Set(drawn).size).toBeGreaterThan(9_995);
});

function moments(numbers: Float32Array): { mean: number; deviation: number } {
  const mean = numbers.reduce((sum, value) => sum + value, 0) / numbers.length;
  const variance = numbers.reduce((sum, value) => sum + (value - mean) ** 2, 0) / numbers.length;
  return { mean, deviation: Math.sqrt(variance) };
}
