/** The minimum of a smooth function of many numbers, from its values and gradients: L-BFGS (Nocedal 1980). */

/** Writes the gradient at a point and returns the value there. */
export type SmoothFunction = (point: Float64Array, gradient: Float64Array) => number;

export interface MinimiseOptions {
  /** Steps at most. @default 1000 */
  maxSteps?: number;
  /** Ends where no number of the gradient is larger than this. @default 1e-6 */
  tolerance?: number;
  /** Differences of points and gradients that are remembered. @default 10 */
  memory?: number;
}

/** One remembered step: how the point and the gradient changed. */
interface Change {
  point: Float64Array;
  gradient: Float64Array;
  /** 1 / (point · gradient) */
  inverse: number;
}

/** The point where a convex function is least, from `start` on; `start` is not changed. */
export function minimise(
  f: SmoothFunction,
  start: Float64Array,
  { maxSteps = 1000, tolerance = 1e-6, memory = 10 }: MinimiseOptions = {},
): Float64Array {
  let point: Float64Array = Float64Array.from(start);
  let gradient: Float64Array = new Float64Array(start.length);
  let value = f(point, gradient);
  const changes: Change[] = [];
  for (let step = 0; step < maxSteps && largest(gradient) > tolerance; step++) {
    const direction = descent(gradient, changes);
    const next = search(f, { point, gradient, value }, direction, changes.length === 0);
    if (next === undefined) return point;
    const change = { point: minus(next.point, point), gradient: minus(next.gradient, gradient) };
    const product = dot(change.point, change.gradient);
    if (product > 0) changes.push({ ...change, inverse: 1 / product });
    if (changes.length > memory) changes.shift();
    ({ point, gradient, value } = next);
  }
  return point;
}

/** −H·gradient, H the inverse curvature as the remembered changes tell it (two-loop recursion). */
function descent(gradient: Float64Array, changes: readonly Change[]): Float64Array {
  const direction = gradient.map((g) => -g);
  const shares: number[] = [];
  for (let i = changes.length - 1; i >= 0; i--) {
    const { point, gradient: difference, inverse } = changes[i]!;
    shares[i] = inverse * dot(point, direction);
    addScaled(direction, difference, -shares[i]!);
  }
  const last = changes.at(-1);
  if (last !== undefined) {
    const scale = 1 / (last.inverse * dot(last.gradient, last.gradient));
    for (let i = 0; i < direction.length; i++) direction[i]! *= scale;
  }
  changes.forEach(({ point, gradient: difference, inverse }, i) => {
    addScaled(direction, point, shares[i]! - inverse * dot(difference, direction));
  });
  return direction;
}

interface Place {
  point: Float64Array;
  gradient: Float64Array;
  value: number;
}

/** A step along the direction that lessens the value enough and the slope too (Wolfe's conditions, by bisection). */
function search(
  f: SmoothFunction,
  { point, gradient, value }: Place,
  direction: Float64Array,
  first: boolean,
): Place | undefined {
  const slope = dot(gradient, direction);
  let least = 0;
  let most = Infinity;
  let length = first ? Math.min(1, 1 / norm(gradient)) : 1;
  for (let attempt = 0; attempt < 60; attempt++) {
    const next = Float64Array.from(point);
    addScaled(next, direction, length);
    const nextGradient = new Float64Array(point.length);
    const nextValue = f(next, nextGradient);
    if (!(nextValue <= value + 1e-4 * length * slope)) most = length;
    else if (dot(nextGradient, direction) < 0.9 * slope) least = length;
    else return { point: next, gradient: nextGradient, value: nextValue };
    length = most === Infinity ? 2 * length : (least + most) / 2;
  }
  // Nothing better within the precision of numbers: this is the minimum.
  return undefined;
}

function addScaled(target: Float64Array, values: Float64Array, factor: number): void {
  for (let i = 0; i < target.length; i++) target[i]! += factor * values[i]!;
}

function minus(a: Float64Array, b: Float64Array): Float64Array {
  return a.map((number, i) => number - b[i]!);
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}

function norm(values: Float64Array): number {
  return Math.sqrt(dot(values, values));
}

function largest(values: Float64Array): number {
  let most = 0;
  for (const value of values) most = Math.max(most, Math.abs(value));
  return most;
}
