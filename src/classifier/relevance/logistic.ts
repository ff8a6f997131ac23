/** Logistic regression: the probability of a fit from three features, by Newton's method. */

/** What is known of one picture as the answer to one query. */
export interface Example {
  /** z, cosine, deviation. */
  features: readonly [number, number, number];
  fits: boolean;
  weight: number;
}

/** Newton's method on the penalised log-likelihood; the features are standardised, so that one penalty fits all. */
export function fitLogistic(examples: readonly Example[]): number[] {
  const total = examples.reduce((sum, { weight }) => sum + weight, 0);
  const scales = [0, 1, 2].map((i) => {
    const mean = examples.reduce((sum, { features, weight }) => sum + weight * features[i]!, 0) / total;
    const variance =
      examples.reduce((sum, { features, weight }) => sum + weight * (features[i]! - mean) ** 2, 0) / total;
    return { mean, deviation: Math.sqrt(variance) || 1 };
  });
  const rows = examples.map(({ features }) => [
    1,
    ...features.map((value, i) => (value - scales[i]!.mean) / scales[i]!.deviation),
  ]);
  let weights = [0, 0, 0, 0];
  for (let step = 0; step < 25; step++) {
    const gradient = weights.map((weight, i) => (i === 0 ? 0 : -penalty * weight));
    const curvature = weights.map((_, i) =>
      weights.map((_, j) => (i === j ? (i === 0 ? 1e-9 : penalty) : 0)),
    );
    examples.forEach(({ fits, weight }, n) => {
      const row = rows[n]!;
      const p = 1 / (1 + Math.exp(-row.reduce((sum, value, i) => sum + value * weights[i]!, 0)));
      for (let i = 0; i < 4; i++) {
        gradient[i]! += (weight / total) * (Number(fits) - p) * row[i]!;
        for (let j = 0; j < 4; j++) curvature[i]![j]! += (weight / total) * p * (1 - p) * row[i]! * row[j]!;
      }
    });
    const move = solve(curvature, gradient);
    weights = weights.map((weight, i) => weight + move[i]!);
    if (Math.hypot(...move) < 1e-9) break;
  }
  const slopes = scales.map(({ deviation }, i) => weights[i + 1]! / deviation);
  const bias = weights[0]! - scales.reduce((sum, { mean }, i) => sum + slopes[i]! * mean, 0);
  return [bias, ...slopes];
}

const penalty = 1e-4;

/** Gauss's elimination with pivoting, for four equations. */
function solve(matrix: readonly (readonly number[])[], right: readonly number[]): number[] {
  const rows = matrix.map((row, i) => [...row, right[i]!]);
  const count = rows.length;
  for (let column = 0; column < count; column++) {
    let pivot = column;
    for (let i = column + 1; i < count; i++) {
      if (Math.abs(rows[i]![column]!) > Math.abs(rows[pivot]![column]!)) pivot = i;
    }
    [rows[column], rows[pivot]] = [rows[pivot]!, rows[column]!];
    for (let i = 0; i < count; i++) {
      if (i === column) continue;
      const factor = rows[i]![column]! / rows[column]![column]!;
      for (let j = column; j <= count; j++) rows[i]![j]! -= factor * rows[column]![j]!;
    }
  }
  return rows.map((row, i) => row[count]! / row[i]!);
}
