/**
 * Chance by place: what is drawn follows from a seed and the place where it is drawn, never from what was drawn before.
 * A run that goes on at step 5,000 therefore sees what it would have seen without the interruption.
 */
import { randomNumbers } from '../../graph/initialise.ts';

/** A seed of 32 bits from whole numbers below 2^53; another order of the same numbers gives another one. */
export function seedAt(...place: readonly number[]): number {
  let state = 0x9e3779b9;
  for (const part of place) {
    state = mix(state, part >>> 0);
    state = mix(state, Math.floor(Math.abs(part) / 2 ** 32) >>> 0);
  }
  return state >>> 0;
}

/** Uniform numbers in [0, 1) for a place. */
export function randomAt(...place: readonly number[]): () => number {
  return randomNumbers(seedAt(...place));
}

/** One of the choices, each as likely as the others. */
export function pick<T>(choices: readonly T[], random: () => number): T {
  return choices[Math.floor(random() * choices.length)]!;
}

/** The final mixing of MurmurHash3 over the sum of both. */
function mix(state: number, part: number): number {
  let mixed = (Math.imul(state, 31) + part + 0x6d2b79f5) >>> 0;
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}
