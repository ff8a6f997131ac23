/** Whether a map tells the truth: how fast the score rises and falls as the places that it names come and go (Petsiuk et al. 2018). */
import { randomNumbers } from '../../graph/initialise.ts';
import type { Cells } from './cells.ts';
import type { Question } from './methods.ts';

export interface Faithfulness {
  /** Mean score while the best places appear one after the other on the mean colour: the higher, the truer. */
  insertion: number;
  /** Mean score while they disappear: the lower, the truer. */
  deletion: number;
  /** The same for places in random order: means over several orders, and their 95 % intervals. */
  randomInsertion: number;
  randomDeletion: number;
  randomInsertionInterval: [low: number, high: number];
  randomDeletionInterval: [low: number, high: number];
  /** Whether both are better than the random orders' intervals. */
  betterThanRandom: boolean;
}

const steps = 10;
const orders = 6;
/** Student's t at 97.5 % for five degrees of freedom. */
const quantile = 2.571;

export async function measureFaithfulness(cells: Cells, question: Question): Promise<Faithfulness> {
  const count = cells.values.length;
  const places = Array.from({ length: count }, (_, place) => place);
  const best = [...places].sort((a, b) => cells.values[b]! - cells.values[a]!);
  const random = randomNumbers(question.seed + 1);
  const shuffled = Array.from({ length: orders }, () => shuffle(places, random));
  const areas: { insertion: number; deletion: number }[] = [];
  for (const order of [best, ...shuffled]) areas.push(await areasOf(order, cells, question));
  const [own, ...others] = areas;
  const insertion = interval(others.map((one) => one.insertion));
  const deletion = interval(others.map((one) => one.deletion));
  return {
    insertion: own!.insertion,
    deletion: own!.deletion,
    randomInsertion: insertion.mean,
    randomDeletion: deletion.mean,
    randomInsertionInterval: [insertion.low, insertion.high],
    randomDeletionInterval: [deletion.low, deletion.high],
    betterThanRandom: own!.insertion > insertion.high && own!.deletion < deletion.low,
  };
}

async function areasOf(
  order: readonly number[],
  { rows, columns }: Cells,
  { pixels, height, width, score }: Question,
): Promise<{ insertion: number; deletion: number }> {
  const length = pixels.length;
  const batch = new Float32Array(2 * steps * length);
  const rank = new Float32Array(order.length);
  order.forEach((place, at) => {
    rank[place] = at;
  });
  for (let y = 0; y < height; y++) {
    const row = Math.min(rows - 1, Math.floor((y * rows) / height));
    for (let x = 0; x < width; x++) {
      const column = Math.min(columns - 1, Math.floor((x * columns) / width));
      const at = rank[row * columns + column]!;
      for (let step = 0; step < steps; step++) {
        const shown = at < ((step + 1) / (steps + 1)) * order.length;
        const target = shown ? step : steps + step;
        for (let channel = 0; channel < 3; channel++) {
          const place = (channel * height + y) * width + x;
          batch[target * length + place] = pixels[place]!;
        }
      }
    }
  }
  const scores = await score(batch, 2 * steps);
  const mean = (from: number): number =>
    scores.subarray(from, from + steps).reduce((sum, one) => sum + one, 0) / steps;
  return { insertion: mean(0), deletion: mean(steps) };
}

function interval(values: readonly number[]): { mean: number; low: number; high: number } {
  const mean = values.reduce((sum, one) => sum + one, 0) / values.length;
  const variance = values.reduce((sum, one) => sum + (one - mean) ** 2, 0) / (values.length - 1);
  const half = quantile * Math.sqrt(variance / values.length);
  return { mean, low: mean - half, high: mean + half };
}

function shuffle(places: readonly number[], random: () => number): number[] {
  const order = [...places];
  for (let i = order.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [order[i], order[j]] = [order[j]!, order[i]!];
  }
  return order;
}
