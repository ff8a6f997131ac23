/** Rows of features for batches: which view of a picture is drawn, and what the locked tower said of it. */
import { closeSync, openSync, readSync } from 'node:fs';
import { EidosError } from '../../../errors.ts';
import { halfFloatValues } from '../../../graph/half-floats.ts';
import { randomAt } from '../chance.ts';
import type { Draw } from '../draws.ts';
import type { ImageFeatures } from './measure.ts';

export interface FeatureRows {
  /** Features [draws, width] of the view that each draw shows, which follows from its number. */
  read(draws: readonly { at: Draw; number: number }[]): Float32Array<ArrayBuffer>;
  /** Features [draws, width] of the first view, the whole picture. */
  readWhole(draws: readonly { at: Draw }[]): Float32Array<ArrayBuffer>;
  close(): void;
}

/** Apart from the chance of other places, see chance.ts. */
const ofViews = 15;

/** Which view the n-th draw of a training shows. */
export function drawnView(seed: number, number: number, views: number): number {
  return views === 1 ? 0 : Math.floor(randomAt(seed, ofViews, number)() * views);
}

/**
 * Reads of some kilobytes, one after the other and in the order of the file: they come from the system's file cache as a
 * rule, where waiting for a thread would take longer than the read.
 * @throws EidosError `not_found` where a file has gone since
 */
export function openFeatureRows({ width, sources }: ImageFeatures, seed: number): FeatureRows {
  const files = new Map<string, number>();
  const fileOf = (path: string): number => {
    const known = files.get(path);
    if (known !== undefined) return known;
    const file = openSync(path, 'r');
    files.set(path, file);
    return file;
  };
  const halves = new Uint16Array(width);
  const bytes = new Uint8Array(halves.buffer);
  const values = halfFloatValues();
  const readViews = (wanted: readonly { at: Draw; view: number }[]): Float32Array<ArrayBuffer> => {
    const target = new Float32Array(wanted.length * width);
    const places = wanted.map(({ at: { source, picture }, view }, row) => {
      const { path, rows } = sources[source]![view]!;
      return { row, path, place: rows[picture]! };
    });
    places.sort((a, b) => (a.path === b.path ? a.place - b.place : a.path < b.path ? -1 : 1));
    for (const { row, path, place } of places) {
      readRow(fileOf, path, bytes, place * bytes.length);
      const start = row * width;
      for (let i = 0; i < width; i++) target[start + i] = values[halves[i]!]!;
    }
    return target;
  };
  return {
    read: (draws) =>
      readViews(
        draws.map(({ at, number }) => ({ at, view: drawnView(seed, number, sources[at.source]!.length) })),
      ),
    readWhole: (draws) => readViews(draws.map(({ at }) => ({ at, view: 0 }))),
    close() {
      for (const file of files.values()) closeSync(file);
      files.clear();
    },
  };
}

function readRow(fileOf: (path: string) => number, path: string, bytes: Uint8Array, position: number): void {
  let done = 0;
  try {
    const file = fileOf(path);
    while (done < bytes.length) {
      const read = readSync(file, bytes, done, bytes.length - done, position + done);
      if (read === 0) break;
      done += read;
    }
  } catch (cause) {
    throw new EidosError('not_found', `The features ${path} cannot be read: ${(cause as Error).message}.`, {
      cause,
    });
  }
  if (done === bytes.length) return;
  throw new EidosError(
    'not_found',
    `The features ${path} end within a picture: somebody has changed them since.`,
  );
}
