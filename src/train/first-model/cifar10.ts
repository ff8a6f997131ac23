/** Zero-shot accuracy on CIFAR-10's test part: how well a model names pictures of a set that it never saw. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clip } from '../../clip/clip.ts';
import { type Embeddings, meanOfGroups, normalizeRows } from '../../clip/embeddings.ts';
import type { ImageSource } from '../../image/source.ts';
import { fillTemplate, promptTemplates } from '../../text/templates.ts';
import { emptyPictures, packTiles } from '../data/packed.ts';

export interface Cifar10Result {
  pictures: number;
  /** Share of pictures whose likeliest class is the right one. */
  accuracy: number;
  perClass: Map<string, number>;
  /** Share of all pictures that were taken for a class. */
  answered: Map<string, number>;
}

/**
 * Top-1 by OpenAI's 18 templates, from sheets of tiles with `index.json` beside them.
 * @param limit pictures a class, the first ones of each sheet; at most 1,000
 */
export async function measureCifar10(clip: Clip, folder: string, limit = 1000): Promise<Cifar10Result> {
  const { tile, columns, classes, test } = JSON.parse(await readFile(join(folder, 'index.json'), 'utf8')) as {
    tile: number;
    columns: { test: number };
    classes: string[];
    test: number;
  };
  const count = Math.min(limit, test);
  const pictures = count * classes.length;
  const matrix = await classMatrix(clip, classes, promptTemplates.cifar);
  const perClass = new Map<string, number>();
  const answered = new Map<string, number>();
  for (const [truth, name] of classes.entries()) {
    const packed = emptyPictures(count, tile);
    const label = join(folder, `test-${name}.jpg`);
    await packTiles(packed, 0, await readFile(label), { columns: columns.test, tiles: count, label });
    const images: ImageSource[] = Array.from({ length: count }, (_, i) => ({
      data: packed.data.subarray(i * tile * tile * 3, (i + 1) * tile * tile * 3),
      width: tile,
      height: tile,
      channels: 3,
    }));
    const answers = likeliest(clip, await clip.embedImages(images, { batchSize: 64 }), matrix);
    perClass.set(name, answers.filter((answer) => answer === truth).length / count);
    for (const answer of answers) {
      answered.set(classes[answer]!, (answered.get(classes[answer]!) ?? 0) + 1 / pictures);
    }
  }
  const accuracy = [...perClass.values()].reduce((sum, share) => sum + share, 0) / classes.length;
  return { pictures, accuracy, perClass, answered };
}

/** A row for each name: the mean of its sentences' unit vectors, again of unit length. */
export async function classMatrix(
  { embedTexts }: Clip,
  names: readonly string[],
  templates: readonly string[],
): Promise<Embeddings> {
  const sentences = names.flatMap((name) => templates.map((template) => fillTemplate(template, name)));
  const owner = sentences.map((_, i) => Math.floor(i / templates.length));
  return normalizeRows(meanOfGroups(await embedTexts(sentences), owner, names.length));
}

/** For each picture the class with the largest cosine. */
function likeliest(clip: Clip, images: Embeddings, matrix: Embeddings): number[] {
  const columns = matrix.shape[0]!;
  const cosines = clip.similarity(images, matrix).data;
  return Array.from({ length: images.shape[0]! }, (_, row) => {
    const scores = cosines.subarray(row * columns, (row + 1) * columns);
    return scores.indexOf(Math.max(...scores));
  });
}
