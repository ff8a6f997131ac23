/** First values of parameters, from a seed: the same seed gives the same numbers on every machine. */
import { elementCount } from './tensor.ts';
import type { NodeOf } from './value.ts';

/** How a parameter begins. */
export type Initialiser =
  | { readonly kind: 'constant'; readonly value: number }
  | { readonly kind: 'normal'; readonly deviation: number }
  | { readonly kind: 'uniform'; readonly bound: number };

export const zeros: Initialiser = { kind: 'constant', value: 0 };
export const ones: Initialiser = { kind: 'constant', value: 1 };

/** Normal numbers with this standard deviation. */
export function normal(deviation: number): Initialiser {
  return { kind: 'normal', deviation };
}

/** Uniform numbers between −bound and bound. */
export function uniform(bound: number): Initialiser {
  return { kind: 'uniform', bound };
}

/** First values of a parameter; its name enters the seed, so that the order of parameters does not matter. */
export function initialValues(
  { name, shape, initialiser }: Pick<NodeOf<'parameter'>['attributes'], 'name' | 'shape' | 'initialiser'>,
  seed: number,
): Float32Array {
  const values = new Float32Array(elementCount(shape));
  if (initialiser.kind === 'constant') return values.fill(initialiser.value);
  const random = randomNumbers(hash(name, seed));
  for (let i = 0; i < values.length; i++) {
    values[i] =
      initialiser.kind === 'uniform'
        ? (2 * random() - 1) * initialiser.bound
        : gaussian(random) * initialiser.deviation;
  }
  return values;
}

/** A stream of uniform numbers in [0, 1): the 32-bit generator "mulberry32". */
export function randomNumbers(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** A normal number by Box and Muller's transform. */
export function gaussian(random: () => number): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}

/** FNV-1a over the characters, begun at the seed. */
function hash(text: string, seed: number): number {
  let state = 0x811c9dc5 ^ seed;
  for (let i = 0; i < text.length; i++) state = Math.imul(state ^ text.charCodeAt(i), 0x01000193);
  return state >>> 0;
}
