/** Sizes of axes: a number, or a multiple of a size that is known only at run time, such as the batch. */
import { EidosError } from '../errors.ts';

/** `factor` times the size named `symbol`; 50·n tokens of a batch, for example. */
export interface SymbolicDimension {
  readonly symbol: string;
  readonly factor: number;
}

export type Dimension = number | SymbolicDimension;
export type Shape = readonly Dimension[];

/** A size known only at run time. */
export function symbolic(symbol: string): SymbolicDimension {
  return { symbol, factor: 1 };
}

export function isSymbolic(dimension: Dimension): dimension is SymbolicDimension {
  return typeof dimension !== 'number';
}

export function sameDimension(a: Dimension, b: Dimension): boolean {
  if (isSymbolic(a) && isSymbolic(b)) return a.symbol === b.symbol && a.factor === b.factor;
  return a === b;
}

export function sameShape(a: Shape, b: Shape): boolean {
  return a.length === b.length && a.every((dimension, axis) => sameDimension(dimension, b[axis]!));
}

/** The product of two sizes, of which at most one is symbolic. */
export function multiply(a: Dimension, b: Dimension): Dimension {
  if (isSymbolic(a)) {
    if (isSymbolic(b)) throw new EidosError('invalid_graph', `${format(a)} × ${format(b)} is no size`);
    return b === 1 ? a : { symbol: a.symbol, factor: a.factor * b };
  }
  return isSymbolic(b) ? multiply(b, a) : a * b;
}

/** The number of elements of a shape. */
export function size(shape: Shape): Dimension {
  return shape.reduce<Dimension>(multiply, 1);
}

/** Sizes as text: `[n, 50, 768]`. */
export function formatShape(shape: Shape): string {
  return `[${shape.map(format).join(', ')}]`;
}

function format(dimension: Dimension): string {
  if (!isSymbolic(dimension)) return String(dimension);
  return dimension.factor === 1 ? dimension.symbol : `${dimension.factor}·${dimension.symbol}`;
}

/** A shape of plain numbers, or an error that says what needed one. */
export function staticShape(shape: Shape, purpose: string): number[] {
  return shape.map((dimension) => {
    if (isSymbolic(dimension)) {
      throw new EidosError('invalid_graph', `${purpose} needs known sizes, not ${formatShape(shape)}`);
    }
    return dimension;
  });
}

/** The shape of an element-wise operation on two operands: axes of size 1 stretch (NumPy's rule). */
export function broadcastShapes(a: Shape, b: Shape): Shape {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, axis) => {
    const left = a[axis - rank + a.length] ?? 1;
    const right = b[axis - rank + b.length] ?? 1;
    if (left === 1) return right;
    if (right === 1 || sameDimension(left, right)) return left;
    throw new EidosError(
      'invalid_graph',
      `${formatShape(a)} and ${formatShape(b)} do not fit element by element`,
    );
  });
}
