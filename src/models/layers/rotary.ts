/** Rotary positions (Su et al. 2021): queries and keys are turned by their places, so that scores see distances. */
import {
  add,
  concat,
  constant,
  gather,
  multiply,
  negate,
  pad,
  reshape,
  slice,
} from '../../graph/operations.ts';
import type { Value } from '../../graph/value.ts';

/** The angles of each place's numbers, two for each pair: [places][headWidth / 2]. */
export type Angles = readonly (readonly number[])[];

/** Angles over rows and columns of a picture, half of the pairs each (Fang et al. 2023, EVA-02). */
export interface PictureRotation {
  /** How many rows and columns the angles were made for: a grid of another size is stretched to it. */
  reference: number;
  /** What is added to the number of a row or column before that. */
  offset: 0 | 1;
  /** Which of the two turns the first half of the pairs. */
  first: 'rows' | 'columns';
}

const base = 10000;

/** The angles of all places of a grid, row after row. */
export function gridAngles(
  headWidth: number,
  [rows, columns]: readonly [number, number],
  { reference, offset, first }: PictureRotation,
): Angles {
  const pairs = headWidth / 4;
  const along = (index: number, count: number): number[] =>
    Array.from(
      { length: pairs },
      (_, k) => (((index + offset) / count) * reference) / base ** ((4 * k) / headWidth),
    );
  return Array.from({ length: rows * columns }, (_, place) => {
    const row = along(Math.floor(place / columns), rows);
    const column = along(place % columns, columns);
    return first === 'rows' ? [...row, ...column] : [...column, ...row];
  });
}

/**
 * Turns [n, heads, tokens, headWidth] by the angles of its last tokens; those before, such as a class token, stay.
 * Of neighbours (a, b) it makes (a·cos − b·sin, b·cos + a·sin).
 * @param kept which of the places are looked at, [n, kept]; all where nothing is said
 */
export function rotation(
  angles: Angles,
  tokens: number,
  headWidth: number,
  kept?: Value,
): (x: Value) => Value {
  const before = tokens - (kept === undefined ? angles.length : Number(kept.shape[1]));
  /** [tokens, headWidth], or [n, 1, tokens, headWidth] where each picture has its own places. */
  const table = (curve: (angle: number) => number, still: number): Value => {
    const rows = constant(
      Float32Array.from({ length: angles.length * headWidth }, (_, at) =>
        curve(angles[Math.floor(at / headWidth)]![Math.floor((at % headWidth) / 2)]!),
      ),
      [angles.length, headWidth],
    );
    const chosen = kept === undefined ? rows : gather(rows, kept);
    const first = constant(new Float32Array(before * headWidth).fill(still), [before, headWidth]);
    const axes = chosen.shape.length - 2;
    const whole =
      before === 0
        ? chosen
        : add(
            pad(chosen, [...zerosOf(axes), before, 0], zerosOf(axes + 2)),
            pad(first, [0, 0], [tokens - before, 0]),
          );
    return axes === 0 ? whole : reshape(whole, [chosen.shape[0]!, 1, tokens, headWidth]);
  };
  const cosines = table(Math.cos, 1);
  const sines = table(Math.sin, 0);
  return (x) => add(multiply(x, cosines), multiply(quarterTurn(x), sines));
}

/** (−b, a) of each pair (a, b) of neighbours along the last axis. */
function quarterTurn(x: Value): Value {
  const last = x.shape.length;
  const headWidth = Number(x.shape[last - 1]);
  const pairs = reshape(x, [...x.shape.slice(0, -1), headWidth / 2, 2]);
  const turned = concat([negate(slice(pairs, last, 1, 2)), slice(pairs, last, 0, 1)], last);
  return reshape(turned, x.shape);
}

const zerosOf = (length: number): number[] => Array<number>(length).fill(0);
