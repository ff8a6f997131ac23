/** Files that hold embeddings: .safetensors, NumPy's .npy, or JSON lines. */
import { realpath, stat, writeFile } from 'node:fs/promises';
import { extname } from 'node:path';
import { writeWhole } from '../disk/whole-file.ts';
import { EidosError } from '../errors.ts';

/** A picture or sentence with its vector. */
export interface EmbeddedRow {
  kind: 'image' | 'text';
  name: string;
  embedding: Float32Array;
}

type Writer = (path: string, rows: readonly EmbeddedRow[], width: number, model: string) => Promise<void>;

const writers = {
  '.safetensors': async (path, rows, width, model) => {
    const { writeSafetensors } = await import('../checkpoint/index.ts');
    const kinds = (['image', 'text'] as const).map((kind) => ({
      kind,
      own: rows.filter((row) => row.kind === kind),
    }));
    const entries = kinds
      .filter(({ own }) => own.length > 0)
      .map(({ kind, own }) => ({
        name: `${kind}s`,
        type: 'float32' as const,
        shape: [own.length, width],
        data: join(own, width),
      }));
    const names = kinds.map(({ kind, own }) => [`${kind}s`, JSON.stringify(own.map(({ name }) => name))]);
    await writeSafetensors(path, entries, { model, ...Object.fromEntries(names) });
  },
  '.npy': async (path, rows, width) => {
    await writeContent(path, npy(join(rows, width), [rows.length, width]));
  },
  '.jsonl': async (path, rows, _, model) => {
    await writeContent(path, rows.map((row) => jsonLine(row, model)).join(''));
  },
} satisfies Record<string, Writer>;

/** A row as a line of JSON, with its line feed. */
export function jsonLine({ kind, name, embedding }: EmbeddedRow, model: string): string {
  return `${JSON.stringify({ [kind]: name, model, embedding: [...embedding] })}\n`;
}

type EmbeddingFormat = keyof typeof writers;

/** The format that a file name asks for. */
export function outputFormat(path: string): EmbeddingFormat {
  const ending = extname(path);
  if (ending in writers) return ending as EmbeddingFormat;
  throw new EidosError(
    'invalid_option',
    `--out ${path}: the name must end in ${Object.keys(writers).join(', ')}.`,
  );
}

/**
 * Writes the rows in the format of the name, whole or not at all: what was there stays where that fails.
 * @throws EidosError `not_found` where the place cannot be written to
 */
export const writeEmbeddings: Writer = async (path, rows, width, model) => {
  try {
    await writers[outputFormat(path)](path, rows, width, model);
  } catch (cause) {
    if (cause instanceof EidosError) throw cause;
    throw new EidosError('not_found', `--out ${path} cannot be written: ${(cause as Error).message}`, {
      cause,
    });
  }
};

/** Where the name is a link, what it points to becomes the file; a pipe or a device takes the bytes as they come. */
async function writeContent(path: string, content: string | Uint8Array): Promise<void> {
  const target = await realpath(path).catch(() => path);
  const status = await stat(target).catch(() => undefined);
  if (status === undefined || status.isFile()) await writeWhole(target, content);
  else await writeFile(target, content);
}

function join(rows: readonly EmbeddedRow[], width: number): Float32Array {
  const data = new Float32Array(rows.length * width);
  rows.forEach(({ embedding }, i) => {
    data.set(embedding, i * width);
  });
  return data;
}

/** Version 1.0 of NumPy's format: magic, header padded so that the numbers begin at a multiple of 64, numbers. */
function npy(data: Float32Array, shape: readonly number[]): Uint8Array {
  const text = `{'descr': '<f4', 'fortran_order': False, 'shape': (${shape.join(', ')}), }`;
  const length = Math.ceil((10 + text.length + 1) / 64) * 64 - 10;
  const header = Buffer.alloc(10 + length, ' ');
  header.write('\x93NUMPY\x01\x00', 0, 'latin1');
  header.writeUInt16LE(length, 8);
  header.write(text, 10, 'latin1');
  header.write('\n', 10 + length - 1, 'latin1');
  return Buffer.concat([header, Buffer.from(data.buffer, data.byteOffset, data.byteLength)]);
}
