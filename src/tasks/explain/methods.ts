/** How a picture's share of a direction is spread over it: one row a method. */
import { randomNumbers } from '../../graph/initialise.ts';
import type { ImageArchitecture, VitArchitecture } from '../../models/architecture.ts';
import { patchGrid } from '../../models/sides.ts';
import type { Cells } from './cells.ts';
import type { GradientPrograms, NamedArray } from './gradients.ts';

export type ExplanationMethod =
  | 'relevance'
  | 'rollout'
  | 'grad_cam'
  | 'integrated_gradients'
  | 'occlusion'
  | 'rise';

/** One picture as the model sees it, and what is asked of it. */
export interface Question {
  image: ImageArchitecture;
  /** [3, height, width], normalised; zeros are the mean colour. */
  pixels: Float32Array;
  height: number;
  width: number;
  /** [embeddingSize]: the unit vector of the words, or the difference of two. */
  direction: Float32Array;
  programs: GradientPrograms;
  /** The share of the direction that pictures have, [n] of pixels [n, 3, height, width]. */
  score(pixels: Float32Array, count: number): Promise<Float32Array>;
  seed: number;
}

export interface Method {
  /** Whose formula it is. */
  source: string;
  /** Whether what speaks against the words shows as such. */
  signed: boolean;
  /** Whether a tower has what it needs. */
  suits(image: ImageArchitecture): boolean;
  cells(question: Question): Promise<Cells & { completeness?: number }>;
}

const isVit = (image: ImageArchitecture): boolean => image.kind === 'vit';
/** Poolers of several queries hide which token came from where. */
const followsTokens = (image: ImageArchitecture): boolean =>
  image.kind === 'vit' && image.pool.kind !== 'queries';

export const methods: { readonly [M in ExplanationMethod]: Method } = {
  relevance: {
    source: 'Chefer, Gur and Wolf 2021, Generic attention-model explainability',
    signed: false,
    suits: followsTokens,
    async cells(question) {
      const { blocks, pool } = await question.programs.relevance(asked(question));
      return overPatches(question.image, propagated(question.image, blocks, pool));
    },
  },
  rollout: {
    source: 'Abnar and Zuidema 2020, Quantifying attention flow in Transformers',
    signed: false,
    suits: followsTokens,
    async cells(question) {
      const { blocks, pool } = await question.programs.attention(asked(question));
      return overPatches(question.image, propagated(question.image, blocks, pool, { normed: true }));
    },
  },
  grad_cam: {
    source: 'Selvaraju et al. 2017, Grad-CAM; negative values are kept',
    signed: true,
    suits: (image) => !isVit(image),
    async cells(question) {
      const { maps, gradient } = await question.programs.maps(asked(question));
      return gradCam(maps, gradient);
    },
  },
  integrated_gradients: {
    source: 'Sundararajan, Taly and Yan 2017, Axiomatic attribution; from the mean colour, in 24 steps',
    signed: true,
    suits: () => true,
    cells: integratedGradients,
  },
  occlusion: {
    source:
      'Zeiler and Fergus 2014, section 2.2: what is lost where a square of mean colour covers the picture',
    signed: true,
    suits: () => true,
    cells: occlusion,
  },
  rise: {
    source: 'Petsiuk, Das and Saenko 2018, RISE: scores of randomly masked pictures',
    signed: true,
    suits: () => true,
    cells: rise,
  },
};

/** The method that is taken where none is named: docs/explanations.md has the measurements. */
export function usualMethod(image: ImageArchitecture): ExplanationMethod {
  return followsTokens(image) ? 'relevance' : isVit(image) ? 'occlusion' : 'grad_cam';
}

const asked = ({ pixels, direction }: Question) => ({ pixels, directions: direction, count: 1 });

/**
 * The row of R = (I + A_L) · … · (I + A_1) that the pooled vector looks with, as a vector times one matrix after the other.
 * @param normed whether each row of I + A is divided by its sum
 */
function propagated(
  image: ImageArchitecture,
  blocks: readonly NamedArray[],
  pool: NamedArray | undefined,
  { normed = false }: { normed?: boolean } = {},
): Float32Array {
  const tokens = blocks[0]?.shape[1] ?? 1;
  let row: Float32Array = new Float32Array(tokens);
  if (pool !== undefined) row.set(pool.data.subarray(0, tokens));
  else if (image.kind === 'vit' && image.pool.kind === 'average') row.fill(1 / tokens);
  else row[0] = 1;
  for (const { data } of [...blocks].reverse()) {
    const next = new Float32Array(tokens);
    for (let from = 0; from < tokens; from++) {
      const weight = row[from]!;
      if (weight === 0) continue;
      let sum = 1;
      if (normed) for (let to = 0; to < tokens; to++) sum += data[from * tokens + to]!;
      const share = weight / sum;
      for (let to = 0; to < tokens; to++) next[to]! += share * data[from * tokens + to]!;
      next[from]! += share;
    }
    row = next;
  }
  return row;
}

/** What the patches have of a row over all tokens. */
function overPatches(image: ImageArchitecture, row: Float32Array): Cells {
  const [rows, columns] = patchGrid(image as VitArchitecture);
  return { rows, columns, values: row.slice(row.length - rows * columns) };
}

/** Σ over channels of map · mean of its gradient. */
function gradCam(maps: NamedArray, gradient: NamedArray): Cells {
  // ConvNeXt's places are rows: [n · rows · columns, channels].
  const flat = maps.shape.length === 2;
  const places = flat ? maps.shape[0]! : maps.shape[2]! * maps.shape[3]!;
  const channels = maps.shape[1]!;
  const columns = flat ? Math.round(Math.sqrt(places)) : maps.shape[3]!;
  const at = (channel: number, place: number): number =>
    flat ? place * channels + channel : channel * places + place;
  const values = new Float32Array(places);
  for (let channel = 0; channel < channels; channel++) {
    let weight = 0;
    for (let place = 0; place < places; place++) weight += gradient.data[at(channel, place)]!;
    weight /= places;
    for (let place = 0; place < places; place++) values[place]! += weight * maps.data[at(channel, place)]!;
  }
  return { rows: places / columns, columns, values };
}

const pathSteps = 24;
const stepsPerRun = 8;
const fineCells = 28;

async function integratedGradients(question: Question): Promise<Cells & { completeness: number }> {
  const { pixels, direction, height, width, programs } = question;
  const length = pixels.length;
  const sums = new Float32Array(length);
  for (let first = 0; first < pathSteps; first += stepsPerRun) {
    const count = Math.min(stepsPerRun, pathSteps - first);
    const path = new Float32Array(count * length);
    const directions = new Float32Array(count * direction.length);
    for (let step = 0; step < count; step++) {
      const share = (first + step + 0.5) / pathSteps;
      for (let i = 0; i < length; i++) path[step * length + i] = share * pixels[i]!;
      directions.set(direction, step * direction.length);
    }
    const { gradient } = await programs.pixels({ pixels: path, directions, count });
    for (let step = 0; step < count; step++)
      for (let i = 0; i < length; i++) sums[i]! += gradient.data[step * length + i]! / pathSteps;
  }
  const rows = Math.min(fineCells, height);
  const columns = Math.min(fineCells, width);
  const values = new Float32Array(rows * columns);
  let total = 0;
  for (let i = 0; i < length; i++) {
    const place = i % (height * width);
    const value = sums[i]! * pixels[i]!;
    total += value;
    const row = Math.floor((Math.floor(place / width) * rows) / height);
    values[row * columns + Math.floor(((place % width) * columns) / width)]! += value;
  }
  const ends = new Float32Array(2 * length);
  ends.set(pixels, length);
  const both = new Float32Array(2 * direction.length);
  both.set(direction);
  both.set(direction, direction.length);
  const { scores } = await programs.pixels({ pixels: ends, directions: both, count: 2 });
  // What the sum of all values misses of the whole change.
  return { rows, columns, values, completeness: Math.abs(total - (scores[1]! - scores[0]!)) };
}

const occluders = 10;
const picturesPerRun = 16;

/** Squares of twice a cell's side, over each cell; a cell has the mean of what its squares take away. */
async function occlusion(question: Question): Promise<Cells> {
  const { pixels, height, width } = question;
  const rows = Math.min(occluders, height);
  const columns = Math.min(occluders, width);
  const [before] = await question.score(pixels, 1);
  const covered = (place: number): { top: number; bottom: number; left: number; right: number } => {
    const [row, column] = [Math.floor(place / columns), place % columns];
    const edge = (at: number, of: number, side: number): number =>
      Math.round((Math.min(of, Math.max(0, at)) / of) * side);
    return {
      top: edge(row - 0.5, rows, height),
      bottom: edge(row + 1.5, rows, height),
      left: edge(column - 0.5, columns, width),
      right: edge(column + 1.5, columns, width),
    };
  };
  const scores = await scored(question, rows * columns, (place, picture) => {
    const { top, bottom, left, right } = covered(place);
    for (let channel = 0; channel < 3; channel++)
      for (let y = top; y < bottom; y++) {
        const start = (channel * height + y) * width;
        picture.fill(0, start + left, start + right);
      }
  });
  return { rows, columns, values: Float32Array.from(scores, (score) => before! - score) };
}

const riseMasks = 320;
const riseCells = 7;

async function rise(question: Question): Promise<Cells> {
  const { pixels, height, width } = question;
  const rows = Math.min(2 * riseCells, height);
  const columns = Math.min(2 * riseCells, width);
  const random = randomNumbers(question.seed);
  const masks = Array.from({ length: riseMasks }, () => ({
    // Half of a coarse grid is seen; the grid is moved by less than a cell, and its edges are soft.
    grid: Float32Array.from({ length: (riseCells + 1) ** 2 }, () => (random() < 0.5 ? 1 : 0)),
    down: random(),
    across: random(),
  }));
  const visible = (mask: (typeof masks)[number], y: number, x: number): number => {
    const row = y * riseCells + mask.down - 0.5;
    const column = x * riseCells + mask.across - 0.5;
    const at = (i: number, j: number): number =>
      mask.grid[Math.min(riseCells, Math.max(0, i)) * (riseCells + 1) + Math.min(riseCells, Math.max(0, j))]!;
    const [i, j] = [Math.floor(row), Math.floor(column)];
    const [dy, dx] = [row - i, column - j];
    return (
      (at(i, j) * (1 - dx) + at(i, j + 1) * dx) * (1 - dy) +
      (at(i + 1, j) * (1 - dx) + at(i + 1, j + 1) * dx) * dy
    );
  };
  const scores = await scored(question, riseMasks, (index, picture) => {
    for (let y = 0; y < height; y++)
      for (let x = 0; x < width; x++) {
        const share = visible(masks[index]!, (y + 0.5) / height, (x + 0.5) / width);
        for (let channel = 0; channel < 3; channel++) {
          const at = (channel * height + y) * width + x;
          picture[at] = pixels[at]! * share;
        }
      }
  });
  const mean = scores.reduce((sum, score) => sum + score, 0) / riseMasks;
  const values = new Float32Array(rows * columns);
  for (let place = 0; place < values.length; place++) {
    const y = (Math.floor(place / columns) + 0.5) / rows;
    const x = ((place % columns) + 0.5) / columns;
    let sum = 0;
    // How the score goes with the place's being seen, about the means of both.
    masks.forEach((mask, index) => {
      sum += (scores[index]! - mean) * (visible(mask, y, x) - 0.5);
    });
    values[place] = sum / riseMasks;
  }
  return { rows, columns, values };
}

/** The scores of so many changed copies of the picture, some at a time. */
async function scored(
  { pixels, score }: Question,
  count: number,
  change: (index: number, picture: Float32Array) => void,
): Promise<Float32Array> {
  const scores = new Float32Array(count);
  for (let first = 0; first < count; first += picturesPerRun) {
    const some = Math.min(picturesPerRun, count - first);
    const batch = new Float32Array(some * pixels.length);
    for (let i = 0; i < some; i++) {
      const picture = batch.subarray(i * pixels.length, (i + 1) * pixels.length);
      picture.set(pixels);
      change(first + i, picture);
    }
    scores.set(await score(batch, some), first);
  }
  return scores;
}
