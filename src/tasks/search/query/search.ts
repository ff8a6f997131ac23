/** Answers a query over a snapshot: scores, conditions, cut-off, a page of hits. */
import { EidosError } from '../../../errors.ts';
import type { Relevance } from '../relevance/calibration.ts';
import type { IndexedPicture, SearchAnswer, SearchHit, SearchOptions } from '../types.ts';
import { bestRows } from '../vectors/best.ts';
import { pictureAt, type Snapshot } from '../vectors/snapshot.ts';
import { filterRows, orientationOf, timeOf } from './filters.ts';

export interface ScoredQuery {
  snapshot: Snapshot;
  /** Cosines with all pictures, [count]. */
  scores: Float32Array;
  relevance: Relevance;
  /** Pictures that are no hits whatever they score: the one whose like is sought. */
  leftOut?: number | undefined;
  /** Rows whose names or captions have the words, best first. */
  wordRows?: readonly number[] | undefined;
}

/** @throws EidosError `invalid_option` */
export function answer(query: ScoredQuery, options: SearchOptions): SearchAnswer {
  const { snapshot, scores, relevance, leftOut, wordRows } = query;
  const { topK, offset, cutOff } = checkOptions(options, relevance);
  const passing = leaveOut(filterRows(snapshot, options.filters), leftOut, snapshot.count);
  const least = relevance.cosineFor(cutOff);
  const nothingFits = !fitsAnywhere(scores, least, leftOut) && (wordRows ?? []).length === 0;
  const { rows, total } =
    wordRows === undefined
      ? bestRows(scores, offset + topK, { passing, least })
      : fuse(
          bestRows(scores, offset + topK + wordRows.length, { passing, least }),
          wordRows.filter((row) => passing?.[row] !== 0),
          (row) => scores[row]! >= least,
        );
  return {
    hits: rows.slice(offset, offset + topK).map((row) => hitAt(snapshot, row, scores[row]!, relevance)),
    total,
    nothingFits,
    cutOff,
  };
}

/** Pictures without a query, newest first. */
export function browse(
  snapshot: Snapshot,
  {
    filters,
    limit = 100,
    offset = 0,
  }: Pick<SearchOptions, 'filters' | 'offset'> & { limit?: number | undefined },
): { pictures: IndexedPicture[]; total: number } {
  checkCount('limit', limit, 0);
  checkCount('offset', offset, 0);
  const passing = filterRows(snapshot, filters);
  const all = newestFirst(snapshot);
  const rows = passing === undefined ? all : all.filter((row) => passing[row] !== 0);
  return {
    pictures: Array.from(rows.subarray(offset, offset + limit), (row) => indexedPicture(snapshot, row)),
    total: rows.length,
  };
}

const orders = new WeakMap<Snapshot, Int32Array>();

/** Rows by time. Who scrolls asks for page after page: sorting a hundred thousand for each would take its time. */
function newestFirst(snapshot: Snapshot): Int32Array {
  let order = orders.get(snapshot);
  if (order === undefined) {
    order = Int32Array.from({ length: snapshot.count }, (_, row) => row);
    order.sort((a, b) => timeOf(snapshot, b) - timeOf(snapshot, a) || a - b);
    orders.set(snapshot, order);
  }
  return order;
}

/** A row as those who use the index see it. */
export function indexedPicture(snapshot: Snapshot, row: number): IndexedPicture {
  const { id, path, size, width, height, modified, taken, camera, caption } = pictureAt(snapshot, row);
  return {
    id,
    image: path,
    bytes: size,
    width,
    height,
    orientation: orientationOf(width, height),
    modifiedAt: new Date(modified).toISOString(),
    ...(taken === null ? {} : { takenAt: new Date(taken).toISOString().slice(0, 19) }),
    ...(camera === null ? {} : { camera }),
    ...(caption === null ? {} : { caption }),
  };
}

function hitAt(snapshot: Snapshot, row: number, cosine: number, relevance: Relevance): SearchHit {
  return {
    ...indexedPicture(snapshot, row),
    similarity: cosine,
    probability: relevance.probability(cosine),
  };
}

function checkOptions(
  { topK = 10, offset = 0, cutOff }: SearchOptions,
  relevance: Relevance,
): { topK: number; offset: number; cutOff: number } {
  checkCount('topK', topK, 1);
  checkCount('offset', offset, 0);
  const least = cutOff === false ? 0 : (cutOff ?? relevance.cutOff);
  if (!(least >= 0 && least <= 1)) {
    throw new EidosError('invalid_option', `cutOff is ${least}: it is a probability from 0 to 1, or false.`);
  }
  return { topK, offset, cutOff: least };
}

function checkCount(name: string, value: number, least: number): void {
  if (Number.isInteger(value) && value >= least) return;
  throw new EidosError('invalid_option', `${name} is ${value}: it must be a whole number from ${least} on.`);
}

function leaveOut(
  passing: Uint8Array | undefined,
  row: number | undefined,
  count: number,
): Uint8Array | undefined {
  if (row === undefined) return passing;
  const rest = passing ?? new Uint8Array(count).fill(1);
  rest[row] = 0;
  return rest;
}

function fitsAnywhere(scores: Float32Array, least: number, leftOut: number | undefined): boolean {
  for (let row = 0; row < scores.length; row++) if (scores[row]! >= least && row !== leftOut) return true;
  return false;
}

/** The usual constant of reciprocal rank fusion (Cormack, Clarke and Büttcher 2009). */
const fusionConstant = 60;

/** Two orders into one: a picture counts 1 / (60 + place) in each. What the words found needs no likeness. */
function fuse(
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
