/** Data sets of a few coloured squares in each of the forms, and a model that sees nothing but colour. */
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import sharp from 'sharp';
import { pack } from 'tar-stream';
import type { Clip } from '../../src/clip/clip.ts';
import { cosineSimilarity, normalizeRows } from '../../src/clip/embeddings.ts';
import { preprocessImages } from '../../src/image/pipeline.ts';
import { clipPreprocessing, type ImagePreprocessing } from '../../src/models/preprocessing.ts';

export const colours = { red: [250, 0, 0], green: [0, 250, 0], blue: [0, 0, 250] } as const;
export type Colour = keyof typeof colours;

/** A PNG of one colour. */
export function square(colour: Colour): Promise<Buffer> {
  const [r, g, b] = colours[colour];
  return sharp({ create: { width: 12, height: 10, channels: 3, background: { r, g, b } } })
    .png()
    .toBuffer();
}

/** A PNG of tiles, row by row. */
export function sheet(side: number, columns: number, tiles: readonly Colour[]): Promise<Buffer> {
  const height = Math.ceil(tiles.length / columns) * side;
  const composed = sharp({ create: { width: columns * side, height, channels: 3, background: 'black' } });
  return composed
    .composite(
      tiles.map((tile, at) => {
        const [r, g, b] = colours[tile];
        return {
          input: { create: { width: side, height: side, channels: 3, background: { r, g, b } } },
          left: (at % columns) * side,
          top: Math.floor(at / columns) * side,
        };
      }),
    )
    .png()
    .toBuffer();
}

export async function writeFiles(folder: string, files: Record<string, string | Uint8Array>): Promise<void> {
  for (const [name, content] of Object.entries(files)) {
    await mkdir(dirname(join(folder, name)), { recursive: true });
    await writeFile(join(folder, name), content);
  }
}

export async function tar(files: Record<string, string | Uint8Array>): Promise<Buffer> {
  const archive = pack();
  for (const [name, bytes] of Object.entries(files)) archive.entry({ name }, Buffer.from(bytes));
  archive.finalize();
  const pieces: Uint8Array[] = [];
  for await (const piece of archive) pieces.push(piece as Uint8Array);
  return Buffer.concat(pieces);
}

export const jsonLines = (rows: readonly object[]): string =>
  rows.map((row) => `${JSON.stringify(row)}\n`).join('');

const words: Record<string, readonly number[]> = {
  red: colours.red,
  green: colours.green,
  blue: colours.blue,
};

/** Pictures become their mean colour, sentences the colours that they name: as good as a model can be. */
export function colourModel(): Clip & { sentences: string[] } {
  const preprocessing: ImagePreprocessing = {
    ...clipPreprocessing,
    size: 4,
    mean: [0, 0, 0],
    deviation: [1, 1, 1],
  };
  const sentences: string[] = [];
  const model = {
    embeddingSize: 3,
    sentences,
    similarity: cosineSimilarity,
    async *embedImageStream(images: Parameters<Clip['embedImageStream']>[0], options = {}) {
      for await (const { data, shape, items } of preprocessImages(images, preprocessing, options)) {
        const means = Float32Array.from({ length: shape[0] * 3 }, (_, at) => {
          const plane = data.subarray(at * 16, (at + 1) * 16);
          return plane.reduce((sum, value) => sum + value, 0) / 16;
        });
        yield { embeddings: normalizeRows({ data: means, shape: [shape[0], 3] }), items };
      }
    },
    async tokenizer() {
      return {
        tokenize: (texts: readonly string[]) => {
          const first = sentences.length;
          sentences.push(...texts);
          return { data: BigInt64Array.from(texts, (_, at) => BigInt(first + at)), shape: [texts.length, 1] };
        },
      };
    },
    async embedTokens({ data }: { data: BigInt64Array }) {
      const rows = Array.from(data, (id) => {
        const named = sentences[Number(id)]!.toLowerCase()
          .split(/\W+/)
          .flatMap((word) => (words[word] ? [words[word]] : []));
        return [0, 1, 2].map((channel) => named.reduce((sum, colour) => sum + colour[channel]!, 0));
      });
      return normalizeRows({ data: Float32Array.from(rows.flat()), shape: [rows.length, 3] });
    },
  };
  return model as unknown as Clip & { sentences: string[] };
}
