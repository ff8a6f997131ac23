import { expect, test } from 'vitest';
import { halfFloatOf, halfFloatValues } from '../../src/graph/half-floats.ts';

const values = halfFloatValues();

test('every half float is its own nearest one', () => {
  const all = Array.from(values.keys());
  const wrong = all.filter((half) => !Number.isNaN(values[half]!) && halfFloatOf(values[half]!) !== half);
  expect(wrong).toEqual([]);
  expect(values[halfFloatOf(Number.NaN)]).toBeNaN();
});

test('what lies between two becomes the nearer one, and in the middle the even one', () => {
  const wrong = Array.from({ length: 0x7bff }, (_, half) => half).filter((half) => {
    const [low, high] = [values[half]!, values[half + 1]!];
    const middle = (low + high) / 2;
    const step = (high - low) / 8;
    const found = [middle - step, middle + step, middle, -middle - step].map(halfFloatOf);
    const wanted = [half, half + 1, half % 2 === 0 ? half : half + 1, 0x8000 + half + 1];
    return found.join() !== wanted.join();
  });
  expect(wrong).toEqual([]);
});

test('numbers that are too large become infinite, and those that are too small nothing', () => {
  expect(halfFloatOf(65519)).toBe(0x7bff);
  expect(halfFloatOf(65520)).toBe(0x7c00);
  expect(halfFloatOf(-1e30)).toBe(0xfc00);
  expect(halfFloatOf(2 ** -25)).toBe(0);
  expect(halfFloatOf(2 ** -25 * 1.01)).toBe(1);
  expect(halfFloatOf(-1e-12)).toBe(0x8000);
});
