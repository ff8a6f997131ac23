/** Exact scoring: cosines of queries with every picture, by the engine over the mapped matrix. */
import { readTensor } from '../../../checkpoint/index.ts';
import type { Embeddings } from '../../../clip/embeddings.ts';
import { compileGraph } from '../../../engine/compile.ts';
import { createEngine, type Engine, type Session } from '../../../engine/engine.ts';
import { symbolic } from '../../../graph/dimension.ts';
import { zeros } from '../../../graph/initialise.ts';
import { gemm, input, parameter } from '../../../graph/operations.ts';
import type { FloatTensor, StoredTensor } from '../../../graph/tensor.ts';

export interface Scorer {
  /** Cosines of unit vectors [queries, width] with all rows, [queries, rows]. */
  score(queries: Embeddings): Promise<FloatTensor>;
  /** The vector of a row. */
  vector(row: number): Promise<Float32Array>;
  close(): Promise<void>;
}

/** Up to so many numbers a loop is done before the engine's thread has started. */
const loopNumbers = 4_000_000;
/** Products of one call that a loop is fit for. */
const loopProducts = 50_000_000;

/** @param engine made when it is first needed, and shared by the scorers of one index */
export function createScorer(matrix: StoredTensor, engine: () => Engine): Scorer {
  const [rows, width] = matrix.shape as [number, number];
  let numbers: Promise<Float32Array> | undefined;
  let session: Promise<Session> | undefined;
  const loaded = () => {
    numbers ??= readTensor(matrix);
    return numbers;
  };
  const compiled = () => {
    session ??= compileScores(engine(), matrix);
    return session;
  };

  return {
    async score(queries) {
      const count = queries.shape[0]!;
      if (rows === 0) return { data: new Float32Array(0), shape: [count, 0] };
      if (rows * width <= loopNumbers && count * rows * width <= loopProducts) {
        return { data: products(queries.data, await loaded(), width), shape: [count, rows] };
      }
      const { scores } = await (await compiled()).run(
        { queries: { type: 'float32', data: queries.data, shape: queries.shape } },
        { fetches: ['scores'] },
      );
      return { data: scores!.data as Float32Array, shape: [count, rows] };
    },

    async vector(row) {
      if (numbers !== undefined || rows * width <= loopNumbers) {
        return (await loaded()).slice(row * width, (row + 1) * width);
      }
      const { location } = matrix;
      if (!('file' in location)) return (await loaded()).slice(row * width, (row + 1) * width);
      return readTensor({
        ...matrix,
        shape: [1, width],
        byteLength: width * 4,
        location: { file: location.file, offset: location.offset + row * width * 4 },
      });
    },

    async close() {
      await (await session?.catch(() => undefined))?.release().catch(() => {});
    },
  };
}

/** The scorers of one index, one after the other, in one engine. */
export interface Scorers {
  /** The scorer of a new copy. Who was answered just now may still be scoring with the one before. */
  next(matrix: StoredTensor): Promise<Scorer>;
  close(): Promise<void>;
}

export function createScorers(): Scorers {
  let engine: Engine | undefined;
  let present: Scorer | undefined;
  let former: Scorer | undefined;
  return {
    async next(matrix) {
      await former?.close();
      former = present;
      present = createScorer(matrix, () => {
        engine ??= createScoringEngine();
        return engine;
      });
      return present;
    },
    async close() {
      await former?.close();
      await present?.close();
      await engine?.close();
    },
  };
}

/** An engine for scores alone: on the CPU, where the matrix is mapped. */
export function createScoringEngine(): Engine {
  return createEngine({ device: 'cpu' });
}

/** One product with the matrix where it lies: opened without being read or copied. */
function compileScores(engine: Engine, matrix: StoredTensor): Promise<Session> {
  const [rows, width] = matrix.shape as [number, number];
  const queries = input('queries', [symbolic('n'), width]);
  const pictures = parameter('vectors', [rows, width], zeros);
  const scores = gemm(queries, pictures, undefined, { transposeB: true });
  return compileGraph(engine, { scores }, new Map([['vectors', matrix]]), { load: 'fast-start' });
}

/** [n, width] · [rows, width]ᵀ; four sums at once, so that additions need not wait for each other. */
function products(queries: Float32Array, matrix: Float32Array, width: number): Float32Array {
  const count = queries.length / width;
  const rows = matrix.length / width;
  const result = new Float32Array(count * rows);
  const even = width - (width % 4);
  for (let query = 0; query < count; query++) {
    const q = query * width;
    for (let row = 0; row < rows; row++) {
      const m = row * width;
      let a = 0;
      let b = 0;
      let c = 0;
      let d = 0;
      for (let k = 0; k < even; k += 4) {
        a += queries[q + k]! * matrix[m + k]!;
        b += queries[q + k + 1]! * matrix[m + k + 1]!;
        c += queries[q + k + 2]! * matrix[m + k + 2]!;
        d += queries[q + k + 3]! * matrix[m + k + 3]!;
      }
      for (let k = even; k < width; k++) a += queries[q + k]! * matrix[m + k]!;
      result[query * rows + row] = a + b + c + d;
    }
  }
  return result;
}
