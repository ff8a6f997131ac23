/**
 * A copy of the store at one version, as searching wants it: the matrix of embeddings to be mapped, and columns that
 * filters run over. It may be deleted at any time and is made again when it is missing, stale or damaged.
 */
import { mkdir, readdir, realpath, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { openWeights, readBytes, writeSafetensors } from '../../../checkpoint/index.ts';
import type { StoredTensor } from '../../../graph/tensor.ts';
import { type Moments, momentsOf } from '../relevance/moments.ts';
import { type About, parseAboutText } from '../store/about.ts';
import type { PictureStore } from '../store/pictures.ts';
import type { PictureRow } from '../store/rows.ts';
import { encodeTexts, type TextColumn, textColumn } from './columns.ts';

export interface Snapshot {
  /** The version of the store that it was made from. */
  key: string;
  about: About;
  unreadable: number;
  count: number;
  /** Where the unit vectors lie, [count, embeddingSize]. */
  vectors: StoredTensor;
  /** Of the embeddings: what is usual in this index. */
  moments: Moments;
  ids: TextColumn;
  paths: TextColumn;
  raws: TextColumn;
  cameras: TextColumn;
  captions: TextColumn;
  /** [count] each; NaN where the camera noted no time. */
  sizes: Float64Array;
  modified: Float64Array;
  taken: Float64Array;
  widths: Int32Array;
  heights: Int32Array;
}

const format = '1';
const texts = { ids: 'id', paths: 'path', raws: 'raw', cameras: 'camera', captions: 'caption' } as const;
const numbers = {
  sizes: { field: 'size', type: 'float64' },
  modified: { field: 'modified', type: 'float64' },
  taken: { field: 'taken', type: 'float64' },
  widths: { field: 'width', type: 'int32' },
  heights: { field: 'height', type: 'int32' },
} as const;

/** The copy of this version, or undefined where there is none or it cannot be used. */
export async function readSnapshot(folder: string, key: string): Promise<Snapshot | undefined> {
  try {
    // The engine maps only files by their real path.
    const { tensors, metadata } = await openWeights(join(await realpath(folder), fileOf(key)));
    if (metadata.format !== format || metadata.key !== key) return undefined;
    const about = parseAboutText(metadata.about!);
    const vectors = tensors.get('vectors');
    if (about === undefined || vectors === undefined) return undefined;
    const tensor = (name: string): Promise<Uint8Array> => readBytes(tensors.get(name)!);
    const text = async (name: string): Promise<TextColumn> =>
      textColumn({
        bytes: await tensor(`${name}.bytes`),
        offsets: new Int32Array((await tensor(`${name}.offsets`)).buffer),
      });
    const float64 = async (name: string) => new Float64Array((await tensor(name)).buffer);
    const float32 = async (name: string) => new Float32Array((await tensor(name)).buffer);
    const int32 = async (name: string) => new Int32Array((await tensor(name)).buffer);
    return {
      key,
      about,
      unreadable: Number(metadata.unreadable),
      count: vectors.shape[0]!,
      vectors,
      moments: { mean: await float32('mean'), covariance: await float32('covariance') },
      ids: await text('ids'),
      paths: await text('paths'),
      raws: await text('raws'),
      cameras: await text('cameras'),
      captions: await text('captions'),
      sizes: await float64('sizes'),
      modified: await float64('modified'),
      taken: await float64('taken'),
      widths: await int32('widths'),
      heights: await int32('heights'),
    };
  } catch {
    return undefined;
  }
}

/** What a copy is of, without reading more than its header; undefined where it cannot be used. */
export async function snapshotAbout(folder: string, key: string): Promise<About | undefined> {
  try {
    const { metadata } = await openWeights(join(folder, fileOf(key)));
    return metadata.format === format && metadata.key === key ? parseAboutText(metadata.about!) : undefined;
  } catch {
    return undefined;
  }
}

/** Copies a version out of the store. Throws where the store cannot be read, or the copy cannot be written. */
export async function writeSnapshot(
  folder: string,
  key: string,
  { about, unreadable, pictures }: { about: About; unreadable: number; pictures: PictureStore },
): Promise<void> {
  const rows: PictureRow[] = [];
  const seen = new Set<string>();
  const parts: Float32Array[] = [];
  const size = pictures.embeddingSize;
  for await (const { rows: some, embeddings } of pictures.everything()) {
    const vectors = embeddings.data;
    let kept = 0;
    some.forEach((row, i) => {
      // Two processes without a lock between them may both have added a file; the next sync removes one of the rows.
      if (seen.has(row.path)) return;
      seen.add(row.path);
      rows.push(row);
      if (kept !== i) vectors.copyWithin(kept * size, i * size, (i + 1) * size);
      kept += 1;
    });
    parts.push(vectors.subarray(0, kept * size));
  }
  const data = new Float32Array(rows.length * size);
  let done = 0;
  for (const part of parts) {
    data.set(part, done);
    done += part.length;
  }
  parts.length = 0;
  const { mean, covariance } = momentsOf(data, size);
  await mkdir(folder, { recursive: true });
  await writeSafetensors(
    join(folder, fileOf(key)),
    [
      // First, so that the matrix begins at a multiple of a cache line.
      { name: 'vectors', type: 'float32', shape: [rows.length, size], data },
      { name: 'mean', type: 'float32', shape: [size], data: mean },
      { name: 'covariance', type: 'float32', shape: [size, size], data: covariance },
      ...Object.entries(numbers).map(([name, { field, type }]) => {
        const values = rows.map((row) => row[field] ?? Number.NaN);
        return {
          name,
          type,
          shape: [rows.length],
          data: type === 'int32' ? Int32Array.from(values) : Float64Array.from(values),
        };
      }),
      ...Object.entries(texts).flatMap(([name, field]) => {
        const { bytes, offsets } = encodeTexts(rows.map((row) => row[field]));
        return [
          { name: `${name}.offsets`, type: 'int32' as const, shape: [offsets.length], data: offsets },
          { name: `${name}.bytes`, type: 'uint8' as const, shape: [bytes.length], data: bytes },
        ];
      }),
    ],
    { format, key, about: JSON.stringify(about), unreadable: String(unreadable) },
  );
  await removeFormer(folder, key);
}

/** Keys of the copies that lie in a folder. */
export async function listSnapshots(folder: string): Promise<string[]> {
  const names = await readdir(folder).catch(() => []);
  return names.flatMap((name) => /^snapshot-(.+)\.safetensors$/.exec(name)?.[1] ?? []);
}

/** Somebody may have opened a former copy and not yet mapped it; after this many milliseconds surely nobody has. */
const formerCopies = 60_000;

async function removeFormer(folder: string, key: string): Promise<void> {
  for (const name of await readdir(folder)) {
    if (!name.startsWith('snapshot-') || name === fileOf(key)) continue;
    const path = join(folder, name);
    const status = await stat(path).catch(() => undefined);
    if (status === undefined || Date.now() - status.mtimeMs < formerCopies) continue;
    await rm(path, { force: true }).catch(() => {}); // Windows keeps what is mapped; then another time
  }
}

function fileOf(key: string): string {
  return `snapshot-${key}.safetensors`;
}

/** What is known of the picture in a row, without its hash. */
export function pictureAt(snapshot: Snapshot, row: number): Omit<PictureRow, 'hash'> {
  const taken = snapshot.taken[row]!;
  return {
    id: snapshot.ids.get(row),
    path: snapshot.paths.get(row),
    raw: snapshot.raws.get(row) || null,
    size: snapshot.sizes[row]!,
    modified: snapshot.modified[row]!,
    width: snapshot.widths[row]!,
    height: snapshot.heights[row]!,
    taken: Number.isNaN(taken) ? null : taken,
    camera: snapshot.cameras.get(row) || null,
    caption: snapshot.captions.get(row) || null,
  };
}
