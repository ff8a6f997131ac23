/** The two towers as programs that run: compiled when first needed, for any batch size. */

import { type CompileOptions, compileGraph } from '../engine/compile.ts';
import type { Engine, RuntimeTensor, Session } from '../engine/engine.ts';
import { EidosError } from '../errors.ts';
import { symbolic } from '../graph/dimension.ts';
import { input } from '../graph/operations.ts';
import { type BoundTensor, elementCount, type FloatTensor } from '../graph/tensor.ts';
import type { Value } from '../graph/value.ts';
import type { ClipArchitecture } from '../models/architecture.ts';
import { imageEncoder, textEncoder } from '../models/clip.ts';
import { pictureShape } from '../models/sides.ts';
import { lastTokenRead } from '../models/text/sentence-end.ts';
import {
  anotherCopy,
  type NamedTower,
  requireFiniteRows,
  requireFiniteVectors,
  unsoundTower,
} from './finite.ts';

export interface Encoders {
  /** Begins to open the image program, so that this happens while the first pictures are decoded. */
  prepareImages(): void;
  /** [n, 3, height, width] → [n, embeddingSize], not normalised; `not_finite` where a row holds a number that is none. */
  encodePixels(data: Float32Array, count: number): Promise<FloatTensor>;
  /** Rows of `length` ids → [n, embeddingSize], not normalised; `not_finite` as above. */
  encodeTokens(data: BigInt64Array, length: number): Promise<FloatTensor>;
}

/** Sentences are mostly short: programs for these lengths save the work on padding where a model allows it. */
const shortLengths = [16, 32];

/** Rows of one run: more do not make a matrix product faster, but need memory. */
const rowsPerRun = 64;

/** @param model as messages name it */
export function createEncoders(
  engine: Engine,
  architecture: ClipArchitecture,
  weights: ReadonlyMap<string, BoundTensor>,
  { model, ...options }: CompileOptions & { model: string },
): Encoders {
  const { embeddingSize, image } = architecture;
  const towerOf = (tower: NamedTower['tower']): NamedTower => ({
    model,
    tower,
    dtype: options.dtype ?? 'fp32',
    weights: [...weights].filter(([name]) => name.startsWith(`${tower}.`)).map(([, tensor]) => tensor),
  });
  const imageTower = towerOf('image');
  const textTower = towerOf('text');
  let imageSession: Promise<Session> | undefined;
  const textSessions = new Map<number, Promise<Session>>();
  const batch = symbolic('n');

  /** Compiles a tower, and looks at its weights meanwhile. */
  const compileSound = async (
    results: Readonly<Record<string, Value>>,
    tower: NamedTower,
  ): Promise<Session> => {
    const compiled = compileGraph(engine, results, weights, options).catch((cause: unknown) => {
      if (!(cause instanceof EidosError && cause.code === 'not_finite')) throw cause;
      throw unsoundTower(tower, `${cause.message} ${anotherCopy}`, { cause });
    });
    const [session] = await Promise.all([compiled, requireFiniteVectors(tower)]);
    return session;
  };
  const compileImage = (): Promise<Session> => {
    const pixels = input('pixels', [batch, ...pictureShape(image)]);
    return compileSound({ embeddings: imageEncoder(architecture, pixels) }, imageTower);
  };
  const compileText = (length: number): Promise<Session> => {
    const tokens = input('tokens', [batch, length], 'int64');
    return compileSound({ embeddings: textEncoder(architecture, tokens) }, textTower);
  };
  const textSession = (length: number): Promise<Session> => {
    let session = textSessions.get(length);
    if (session === undefined) {
      session = compileText(length);
      textSessions.set(length, session);
    }
    return session;
  };

  /** Embeddings of all rows, [rows, embeddingSize], not more of them in one run than pay. */
  const inRuns = async (
    session: Session,
    tower: NamedTower,
    rows: number,
    feed: (first: number, count: number) => Readonly<Record<string, RuntimeTensor>>,
  ): Promise<FloatTensor> => {
    const result = new Float32Array(rows * embeddingSize);
    for (let first = 0; first < rows; first += rowsPerRun) {
      const feeds = feed(first, Math.min(rowsPerRun, rows - first));
      const { embeddings } = await session.run(feeds, { fetches: ['embeddings'] });
      result.set(embeddings!.data as Float32Array, first * embeddingSize);
    }
    const embedded = { data: result, shape: [rows, embeddingSize] };
    await requireFiniteRows(embedded, tower);
    return embedded;
  };

  return {
    prepareImages() {
      imageSession ??= compileImage();
      // Whoever needs the program is told what is wrong with it.
      imageSession.catch(() => {});
    },

    async encodePixels(data, count) {
      imageSession ??= compileImage();
      const picture = pictureShape(image);
      const length = elementCount(picture);
      return inRuns(await imageSession, imageTower, count, (first, rows) => ({
        pixels: {
          type: 'float32',
          data: data.subarray(first * length, (first + rows) * length),
          shape: [rows, ...picture],
        },
      }));
    },

    async encodeTokens(data, length) {
      const needed = neededLength(architecture, data, length);
      return inRuns(await textSession(needed), textTower, data.length / length, (first, rows) => ({
        tokens: {
          type: 'int64',
          data: cutRows(data, length, { first, count: rows, width: needed }),
          shape: [rows, needed],
        },
      }));
    },
  };
}

/** Rows of a model that never looks at what follows the end-of-text token may be cut after the last of these tokens. */
function neededLength({ text }: ClipArchitecture, data: BigInt64Array, length: number): number {
  const endToken = lastTokenRead(text);
  if (endToken === undefined) return length;
  let last = 0;
  for (let start = 0; start < data.length; start += length) {
    const row = data.subarray(start, start + length);
    const end = endToken === 'highest' ? indexOfLargest(row) : row.indexOf(BigInt(endToken));
    last = Math.max(last, end < 0 ? length - 1 : end);
  }
  return shortLengths.find((candidate) => last < candidate && candidate < length) ?? length;
}

function indexOfLargest(row: BigInt64Array): number {
  let best = 0;
  for (let i = 1; i < row.length; i++) if (row[i]! > row[best]!) best = i;
  return best;
}

function cutRows(
  data: BigInt64Array,
  length: number,
  { first, count, width }: { first: number; count: number; width: number },
): BigInt64Array {
  const ids = new BigInt64Array(count * width);
  for (let row = 0; row < count; row++) {
    const start = (first + row) * length;
    ids.set(data.subarray(start, start + width), row * width);
  }
  return ids;
}
