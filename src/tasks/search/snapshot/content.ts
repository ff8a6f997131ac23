/** What a copy holds as tensors: gathered out of the store, and understood again. */
import { readBytes } from '../../../checkpoint/index.ts';
import type { TensorEntry } from '../../../checkpoint/write-safetensors.ts';
import { momentsOf } from '../../../classifier/relevance/moments.ts';
import type { StoredTensor } from '../../../graph/tensor.ts';
import { meansLength, perceptualHashLength } from '../../../image/perceptual-hash.ts';
import { groupCopies } from '../duplicates/groups.ts';
import { type About, parseAboutText } from '../store/about.ts';
import type { PictureStore } from '../store/pictures.ts';
import { decodePixels, type PictureRow } from '../store/rows.ts';
import { byteRows } from './byte-rows.ts';
import { encodeTexts, type TextColumn, textColumn } from './columns.ts';
import { product } from './product.ts';
import { givenHash, type Snapshot } from './snapshot.ts';

/** What is copied, and of which version of the store. */
export interface SnapshotParts {
  key: string;
  about: About;
  unreadable: number;
  pictures: PictureStore;
}

/** Tensors and what is said of them, as they lie in a file. */
export interface SnapshotContent {
  entries: TensorEntry[];
  metadata: Record<string, string>;
}

const format = '2';
const texts = { ids: 'id', paths: 'path', raws: 'raw', cameras: 'camera', captions: 'caption' } as const;
const numbers = {
  sizes: { field: 'size', type: 'float64' },
  modified: { field: 'modified', type: 'float64' },
  taken: { field: 'taken', type: 'float64' },
  widths: { field: 'width', type: 'int32' },
  heights: { field: 'height', type: 'int32' },
} as const;

/** Bytes of SHA-256. */
const fileHashLength = 32;

/** Copies a version out of the store. Throws where the store cannot be read. */
export async function gatherContent({
  key,
  about,
  unreadable,
  pictures,
}: SnapshotParts): Promise<SnapshotContent> {
  const size = pictures.embeddingSize;
  const { rows, data, pixels } = await gatherRows(pictures);
  const { mean, covariance } = momentsOf(data, size);
  const entries: TensorEntry[] = [
    // First, so that the matrix begins at a multiple of a cache line.
    { name: 'vectors', type: 'float32', shape: [rows.length, size], data },
    { name: 'mean', type: 'float32', shape: [size], data: mean },
    { name: 'covariance', type: 'float32', shape: [size, size], data: covariance },
    ...numberEntries(rows),
    ...textEntries(rows),
    ...(await copyEntries({ rows, data, pixels })),
  ];
  return { entries, metadata: { format, key, about: JSON.stringify(about), unreadable: String(unreadable) } };
}

interface GatheredRows {
  rows: PictureRow[];
  /** Unit vectors, [rows, embeddingSize]. */
  data: Float32Array;
  /** Perceptual hashes, [rows, 1152]; zeros where there is none. */
  pixels: Uint8Array;
}

/** All rows with their embeddings as one matrix, and their perceptual hashes as another, a path once. */
async function gatherRows(pictures: PictureStore): Promise<GatheredRows> {
  const size = pictures.embeddingSize;
  const rows: PictureRow[] = [];
  const hashes: Uint8Array[] = [];
  const seen = new Set<string>();
  const parts: Float32Array[] = [];
  for await (const { rows: some, embeddings } of pictures.everything()) {
    const vectors = embeddings.data;
    let kept = 0;
    some.forEach((row, i) => {
      // Two processes without a lock between them may both have added a file; the next sync removes one of the rows.
      if (seen.has(row.path)) return;
      seen.add(row.path);
      const { pixels, ...facts } = row;
      rows.push(facts);
      hashes.push(decodePixels(pixels));
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
  const pixels = new Uint8Array(rows.length * perceptualHashLength);
  hashes.forEach((hash, row) => {
    if (hash.length === perceptualHashLength) pixels.set(hash, row * perceptualHashLength);
  });
  return { rows, data, pixels };
}

function numberEntries(rows: readonly PictureRow[]): TensorEntry[] {
  return Object.entries(numbers).map(([name, { field, type }]) => {
    const values = rows.map((row) => row[field] ?? Number.NaN);
    const data = type === 'int32' ? Int32Array.from(values) : Float64Array.from(values);
    return { name, type, shape: [rows.length], data };
  });
}

function textEntries(rows: readonly PictureRow[]): TensorEntry[] {
  return Object.entries(texts).flatMap(([name, field]) => {
    const { bytes, offsets } = encodeTexts(rows.map((row) => row[field]));
    return [
      { name: `${name}.offsets`, type: 'int32' as const, shape: [offsets.length], data: offsets },
      { name: `${name}.bytes`, type: 'uint8' as const, shape: [bytes.length], data: bytes },
    ];
  });
}

/** What tells copies of one picture, and which rows are such. */
async function copyEntries({ rows, data, pixels }: GatheredRows): Promise<TensorEntry[]> {
  const size = data.length / rows.length;
  const hashes = new Uint8Array(rows.length * fileHashLength);
  const means = new Float32Array(rows.length * meansLength).fill(Number.NaN);
  const candidates = rows.map(({ hash, width, height }, row) => {
    hashes.set(Buffer.from(hash, 'hex').subarray(0, fileHashLength), row * fileHashLength);
    const own = pixels.subarray(row * perceptualHashLength, (row + 1) * perceptualHashLength);
    const picture = givenHash(own, width, height);
    if (picture !== undefined) means.set(picture.means, row * meansLength);
    return { row, file: hash, picture };
  });
  const vectorOf = (row: number) => data.subarray(row * size, (row + 1) * size);
  const groups = await groupCopies(candidates, (a, b) => product(vectorOf(a), vectorOf(b)));
  const firsts = Int32Array.from({ length: rows.length }, (_, row) => row);
  for (const { rows: group } of groups) {
    const first = group.reduce((least, row) => Math.min(least, row));
    for (const row of group) firsts[row] = first;
  }
  return [
    { name: 'hashes', type: 'uint8', shape: [rows.length, fileHashLength], data: hashes },
    { name: 'pixels', type: 'uint8', shape: [rows.length, perceptualHashLength], data: pixels },
    { name: 'means', type: 'float32', shape: [rows.length, meansLength], data: means },
    { name: 'firsts', type: 'int32', shape: [rows.length], data: firsts },
  ];
}

/** What a copy is of, where it is of this version and can be used. */
export function aboutOf(metadata: Readonly<Record<string, string>>, key: string): About | undefined {
  return metadata.format === format && metadata.key === key ? parseAboutText(metadata.about!) : undefined;
}

/** The copy that tensors are of; undefined where it is of another version. Throws where they are damaged. */
export async function parseContent(
  tensors: ReadonlyMap<string, StoredTensor>,
  metadata: Readonly<Record<string, string>>,
  key: string,
): Promise<Snapshot | undefined> {
  const about = aboutOf(metadata, key);
  const vectors = tensors.get('vectors');
  if (about === undefined || vectors === undefined) return undefined;
  const bytes = (name: string): Promise<Uint8Array> => readBytes(tensors.get(name)!);
  const float32 = async (name: string) => new Float32Array((await bytes(name)).buffer);
  const float64 = async (name: string) => new Float64Array((await bytes(name)).buffer);
  const int32 = async (name: string) => new Int32Array((await bytes(name)).buffer);
  const text = async (name: string): Promise<TextColumn> =>
    textColumn({ bytes: await bytes(`${name}.bytes`), offsets: await int32(`${name}.offsets`) });
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
    hashes: byteRows(tensors.get('hashes')!),
    pixels: byteRows(tensors.get('pixels')!),
    means: byteRows(tensors.get('means')!),
    firsts: await int32('firsts'),
    sizes: await float64('sizes'),
    modified: await float64('modified'),
    taken: await float64('taken'),
    widths: await int32('widths'),
    heights: await int32('heights'),
  };
}

/** The same content without a file. */
export function inMemory({ entries, metadata }: SnapshotContent, key: string): Promise<Snapshot | undefined> {
  const tensors = entries.map(({ data, ...entry }): [string, StoredTensor] => {
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    return [entry.name, { ...entry, location: { bytes }, byteLength: bytes.length }];
  });
  return parseContent(new Map(tensors), metadata, key);
}
