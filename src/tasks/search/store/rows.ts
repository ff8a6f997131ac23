/** What the store keeps of a picture, and how that becomes an Arrow table and comes back from one. */
import type { Embeddings } from '../../../clip/embeddings.ts';
import { EidosError } from '../../../errors.ts';
import type { Arrow } from './lance.ts';

/** Everything of a picture but its embedding and its perceptual hash, which are large. */
export interface PictureRow {
  id: string;
  /** As text; bytes that are no UTF-8 are written \xE9, and `raw` has the real ones. */
  path: string;
  /** The path's bytes in base64 where they are no UTF-8. */
  raw: string | null;
  /** Bytes. */
  size: number;
  /** Of the file, in milliseconds since 1970. */
  modified: number;
  /** SHA-256 of the file's bytes, in hexadecimal digits. */
  hash: string;
  /** Pixels, after turning. */
  width: number;
  height: number;
  /** The camera's local time read as if it were UTC, in milliseconds since 1970. */
  taken: number | null;
  camera: string | null;
  caption: string | null;
}

/** A row as it is written and copied, beside its embedding. */
export interface PictureRecord extends PictureRow {
  /** The perceptual hash of its pixels in base64; null where the index was made before there was one. */
  pixels: string | null;
}

/** A perceptual hash as it is stored. */
export function encodePixels(hash: Uint8Array): string {
  return Buffer.from(hash).toString('base64');
}

/** The same back; nothing where it is null. */
export function decodePixels(pixels: string | null): Uint8Array {
  return Buffer.from(pixels ?? '', 'base64');
}

/** A file that looks like a picture and cannot be read. */
export interface UnreadableRow {
  path: string;
  raw: string | null;
  size: number;
  modified: number;
  code: string;
  message: string;
}

/** The column of perceptual hashes, which tables of former versions lack. */
export const pixelsColumn = 'pixels';

/** The columns of `PictureRow`, which are read without the embeddings. */
export const pictureColumns = [
  'id',
  'path',
  'raw',
  'size',
  'modified',
  'hash',
  'width',
  'height',
  'taken',
  'camera',
  'caption',
] as const satisfies readonly (keyof PictureRow)[];

/** The columns of `UnreadableRow`. */
export const unreadableColumns = [
  'path',
  'raw',
  'size',
  'modified',
  'code',
  'message',
] as const satisfies readonly (keyof UnreadableRow)[];

export function pictureSchema(arrow: typeof Arrow, embeddingSize: number): Arrow.Schema {
  const { Field, FixedSizeList, Float32, Float64, Int32, Schema, Utf8 } = arrow;
  return new Schema([
    new Field('id', new Utf8(), false),
    new Field('path', new Utf8(), false),
    new Field('raw', new Utf8(), true),
    new Field('size', new Float64(), false),
    new Field('modified', new Float64(), false),
    new Field('hash', new Utf8(), false),
    new Field('width', new Int32(), false),
    new Field('height', new Int32(), false),
    new Field('taken', new Float64(), true),
    new Field('camera', new Utf8(), true),
    new Field('caption', new Utf8(), true),
    new Field('words', new Utf8(), false),
    new Field(pixelsColumn, new Utf8(), true),
    new Field('vector', new FixedSizeList(embeddingSize, new Field('item', new Float32(), true)), false),
  ]);
}

export function unreadableSchema(arrow: typeof Arrow): Arrow.Schema {
  const { Field, Float64, Schema, Utf8 } = arrow;
  return new Schema([
    new Field('path', new Utf8(), false),
    new Field('raw', new Utf8(), true),
    new Field('size', new Float64(), false),
    new Field('modified', new Float64(), false),
    new Field('code', new Utf8(), false),
    new Field('message', new Utf8(), false),
  ]);
}

/** Rows with their embeddings, [rows, embeddingSize], as one table. */
export function pictureTable(
  arrow: typeof Arrow,
  rows: readonly PictureRecord[],
  { data, shape }: Embeddings,
): Arrow.Table {
  const schema = pictureSchema(arrow, shape[1]!);
  const vectorField = schema.fields.at(-1)!;
  const columns = schema.fields.slice(0, -1).map((field) =>
    arrow.vectorFromArray(
      rows.map((row) => (field.name === 'words' ? wordsOf(row) : row[field.name as keyof PictureRecord])),
      field.type,
    ),
  );
  const numbers = arrow.makeData({ type: new arrow.Float32(), data, length: data.length, nullCount: 0 });
  const vectors = arrow.makeData({
    type: vectorField.type as Arrow.FixedSizeList<Arrow.Float32>,
    length: rows.length,
    nullCount: 0,
    child: numbers,
  });
  return tableOf(arrow, schema, [...columns.map((column) => column.data[0]!), vectors], rows.length);
}

export function unreadableTable(arrow: typeof Arrow, rows: readonly UnreadableRow[]): Arrow.Table {
  return plainTable(arrow, unreadableSchema(arrow), rows);
}

/** Rows of texts and numbers as one table. */
export function plainTable(arrow: typeof Arrow, schema: Arrow.Schema, rows: readonly object[]): Arrow.Table {
  const columns = schema.fields.map(({ name, type }) =>
    arrow.vectorFromArray(
      rows.map((row) => (row as Record<string, unknown>)[name]),
      type,
    ),
  );
  return tableOf(
    arrow,
    schema,
    columns.map((column) => column.data[0]!),
    rows.length,
  );
}

function tableOf(
  arrow: typeof Arrow,
  schema: Arrow.Schema,
  columns: readonly Arrow.Data[],
  length: number,
): Arrow.Table {
  const data = arrow.makeData({
    type: new arrow.Struct(schema.fields),
    length,
    nullCount: 0,
    children: [...columns],
  });
  return new arrow.Table(schema, new arrow.RecordBatch(schema, data));
}

/** Rows as plain objects; null in columns that the table lacks. */
export function rowsOf<Row extends object>(
  table: Arrow.Table,
  columns: readonly (keyof Row & string)[],
): Row[] {
  const vectors = columns.map((name) => table.getChild(name));
  return Array.from({ length: table.numRows }, (_, row) =>
    Object.fromEntries(columns.map((name, i) => [name, vectors[i]?.get(row) ?? null])),
  ) as Row[];
}

/**
 * The column of vectors, [rows, embeddingSize].
 * @throws EidosError `invalid_index` for vectors of another length
 */
export function vectorsOf(path: string, table: Arrow.Table, embeddingSize: number): Embeddings {
  const data = new Float32Array(table.numRows * embeddingSize);
  let done = 0;
  for (const part of table.getChild('vector')!.data) {
    const values = part.children[0]!.values as Float32Array;
    const start = part.offset * embeddingSize;
    data.set(values.subarray(start, start + part.length * embeddingSize), done);
    done += part.length * embeddingSize;
  }
  if (done !== data.length) {
    throw new EidosError(
      'invalid_index',
      `The index ${path} holds vectors of another length than ${embeddingSize}.`,
    );
  }
  return { data, shape: [table.numRows, embeddingSize] };
}

/** What the full-text index reads: the file's name, two folders above it, and the caption. */
export function wordsOf({ path, caption }: Pick<PictureRow, 'path' | 'caption'>): string {
  const names = path.split(/[/\\]/).slice(-3).join(' ');
  const words = names.replace(/\.[^.\s]+$/, '').match(/\p{Letter}+|\p{Number}+/gu) ?? [];
  return [...words, ...(caption === null ? [] : [caption])].join(' ');
}
