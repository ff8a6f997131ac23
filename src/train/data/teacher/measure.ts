/** Asks a teacher about every picture of a source, once: what it says is kept, and an interrupted measurement goes on. */
import { createHash } from 'node:crypto';
import { mkdir, open, readFile, rename, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { withLock } from '../../../disk/lock.ts';
import { writeFailure } from '../../../disk/write-failure.ts';
import { EidosError } from '../../../errors.ts';
import type { SquarePicture } from '../augment.ts';
import type { TeacherConfig } from '../config.ts';
import { identityOf } from '../packed.ts';
import type { SquareReader } from '../pixels.ts';
import { createPartReader } from '../places.ts';
import type { Source, SourcePicture } from '../source.ts';
import { resizeView } from '../views.ts';
import { fixedCrop } from './crops.ts';
import { bytesOfRow, encodeRows, type FeatureFile } from './features.ts';
import type { Teacher } from './teacher.ts';

export interface MeasureOptions {
  /** Where features are kept. */
  folder: string;
  config: Pick<TeacherConfig, 'crops' | 'cropArea' | 'batch' | 'model'>;
  reader: SquareReader;
  signal?: AbortSignal | undefined;
  onProgress?: (done: number, total: number) => void;
}

/** What stands beside the features. */
interface FeatureNotes {
  teacher: string | undefined;
  fingerprint: string;
  width: number;
  views: number;
  /** Places of pictures that could not be read; their rows are zeros. */
  broken: number[];
}

export interface Measured {
  file: FeatureFile;
  /** Places of pictures that could not be read. */
  broken: readonly number[];
}

/** Crops are cut from a larger square, so that they are not enlarged twice. */
const cropEnlargement = 1.5;

/**
 * The features of a source's pictures, from the folder or measured now.
 * @throws EidosError `write_failed`, `engine_failed`, `aborted`
 */
export async function measureFeatures(
  source: Source,
  teacher: Teacher,
  options: MeasureOptions,
): Promise<Measured> {
  const { folder, config } = options;
  const views = 1 + config.crops;
  const { place } = source.pictures[0]!;
  const tile = place.kind === 'square' && source.form === 'tile_sheets' ? place.side : undefined;
  const side = teacher.sideFor(tile);
  const key = createHash('sha256')
    .update(
      JSON.stringify([teacher.fingerprint, side, config.crops, config.crops > 0 ? config.cropArea : []]),
    )
    .digest('hex')
    .slice(0, 12);
  const path = join(folder, `${source.name}-${identityOf(source.pictures)}-${key}.features`);
  const { width } = teacher;
  const file: FeatureFile = {
    path,
    encoding: 'signed',
    width,
    views,
    places: source.pictures.map((_, at) => at),
  };
  const kept = async (): Promise<Measured | undefined> => {
    if ((await sizeOf(path)) !== source.pictures.length * views * bytesOfRow(file)) return undefined;
    const notes = JSON.parse(await readFile(`${path}.json`, 'utf8')) as FeatureNotes;
    return { file, broken: notes.broken };
  };
  const measureAll = async (): Promise<Measured> => {
    const broken = await measure(source, teacher, file, { ...options, side });
    const notes: FeatureNotes = {
      teacher: config.model,
      fingerprint: teacher.fingerprint,
      width,
      views,
      broken,
    };
    await writeFile(`${path}.json`, `${JSON.stringify(notes)}\n`);
    await rename(`${path}.part`, path);
    return { file, broken };
  };
  const before = await kept();
  if (before !== undefined) return before;
  try {
    await mkdir(folder, { recursive: true });
    // Another training may be asking the same teacher: what it is told is for both.
    return await withLock(
      `${path}.lock`,
      { signal: options.signal },
      async () => (await kept()) ?? (await measureAll()),
    );
  } catch (cause) {
    throw writeFailure(
      cause,
      (reason) =>
        `The teacher's features of "${source.name}" cannot be kept in ${folder}: ${reason}. Name another folder as teacher.cache.`,
    );
  }
}

/**
 * Appends rows of whole pictures to the file with `.part` at its end, from where an earlier measurement ended.
 * @returns places of pictures that could not be read
 */
async function measure(
  { pictures }: Source,
  teacher: Teacher,
  file: FeatureFile,
  { side, config, reader, signal, onProgress }: MeasureOptions & { side: number },
): Promise<number[]> {
  const part = `${file.path}.part`;
  const bytesOfPicture = file.views * bytesOfRow(file);
  const done = Math.min(pictures.length, Math.floor(((await sizeOf(part)) ?? 0) / bytesOfPicture));
  if ((await sizeOf(part)) !== undefined) await truncate(part, done * bytesOfPicture);
  const broken = await unseenRows(part, done, bytesOfPicture);
  const output = await open(part, 'a');
  try {
    for (let start = done; start < pictures.length; start += config.batch) {
      if (signal?.aborted) throw new EidosError('aborted', 'Asking the teacher was aborted.');
      const piece = pictures.slice(start, start + config.batch);
      const seen = await Promise.all(piece.map((picture) => viewsOf(picture, side, config, reader)));
      for (const [at, [whole]] of seen.entries()) if (whole === undefined) broken.push(start + at);
      const squares = seen.flat();
      const sound = squares.filter((square) => square !== undefined);
      const values = new Float32Array(squares.length * teacher.width);
      for (let first = 0, row = 0; first < sound.length; first += config.batch) {
        const answers = await teacher.see(sound.slice(first, first + config.batch));
        for (let at = 0; at < answers.length; at += teacher.width) {
          while (squares[row] === undefined) row++;
          values.set(answers.subarray(at, at + teacher.width), row * teacher.width);
          row++;
        }
      }
      // A single write may take a part only, as where the disk is nearly full.
      await output.appendFile(encodeRows(values, teacher.width));
      onProgress?.(start + piece.length, pictures.length);
    }
  } finally {
    await output.close();
  }
  return broken;
}

/** Among the pictures that were measured before, those whose rows are zeros. */
async function unseenRows(part: string, done: number, bytesOfPicture: number): Promise<number[]> {
  const broken: number[] = [];
  const parts = createPartReader();
  try {
    for (let picture = 0; picture < done; picture++) {
      const largest = await parts.read({ path: part, offset: picture * bytesOfPicture, length: 4 });
      if (largest.every((byte) => byte === 0)) broken.push(picture);
    }
  } finally {
    await parts.close();
  }
  return broken;
}

/** The whole picture and its crops, each as the square that the teacher wants; undefined where it cannot be read. */
async function viewsOf(
  { origin, place, name, row }: SourcePicture,
  side: number,
  { crops, cropArea }: MeasureOptions['config'],
  reader: SquareReader,
): Promise<(SquarePicture | undefined)[]> {
  const wanted = crops === 0 ? side : Math.ceil(side * cropEnlargement);
  try {
    const picture = await reader.read(origin ?? place, name, wanted);
    const view = (left: number, top: number, width: number, height: number): SquarePicture => {
      const own = {
        left: left * picture.side,
        top: top * picture.side,
        width: width * picture.side,
        height: height * picture.side,
      };
      const pixels = resizeView(picture.data, picture.side, { ...own, mirrored: false }, side);
      return { side, data: Uint8Array.from(pixels, Math.round) };
    };
    const whole = picture.side === side ? picture : view(0, 0, 1, 1);
    const parts = Array.from({ length: crops }, (_, at) => {
      const { left, top, width, height } = fixedCrop(row, at + 1, cropArea);
      return view(left, top, width, height);
    });
    return [whole, ...parts];
  } catch (error) {
    if (!(error instanceof EidosError)) throw error;
    return Array.from({ length: 1 + crops }, () => undefined);
  }
}

async function sizeOf(path: string): Promise<number | undefined> {
  return (await stat(path).catch(() => undefined))?.size;
}
