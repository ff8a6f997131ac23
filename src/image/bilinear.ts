/** Numbers between the places of a grid. */

/** Row after row. */
export interface Grid {
  width: number;
  height: number;
  values: ArrayLike<number>;
}

/** The value at a place between the middles of a grid's cells, the first of which is at 0, 0; beyond the edge that of the edge. */
export function bilinear({ width, height, values }: Grid, x: number, y: number): number {
  const [across, down] = [Math.min(width - 1, Math.max(0, x)), Math.min(height - 1, Math.max(0, y))];
  const [left, top] = [Math.floor(across), Math.floor(down)];
  const [right, bottom] = [Math.min(width - 1, left + 1), Math.min(height - 1, top + 1)];
  const at = (column: number, row: number): number => values[row * width + column]!;
  const upper = at(left, top) * (1 - across + left) + at(right, top) * (across - left);
  const lower = at(left, bottom) * (1 - across + left) + at(right, bottom) * (across - left);
  return upper * (1 - down + top) + lower * (down - top);
}
