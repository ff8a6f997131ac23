/** The order by looks and the order by words as one. */

/** The usual constant of reciprocal rank fusion (Cormack, Clarke and Büttcher 2009). */
const fusionConstant = 60;

/** Two orders into one: a picture counts 1 / (60 + place) in each. What the words found needs no likeness. */
export function fuse(
  looks: { rows: number[]; total: number },
  named: readonly number[],
  isAlike: (row: number) => boolean,
): { rows: number[]; total: number } {
  const points = new Map<number, number>();
  for (const rows of [looks.rows, named]) {
    rows.forEach((row, place) => {
      points.set(row, (points.get(row) ?? 0) + 1 / (fusionConstant + place + 1));
    });
  }
  return {
    rows: [...points.keys()].sort((a, b) => points.get(b)! - points.get(a)! || a - b),
    total: looks.total + named.filter((row) => !isAlike(row)).length,
  };
}
