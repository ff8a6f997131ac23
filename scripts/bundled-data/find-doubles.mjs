/**
 * `node scripts/bundled-data/find-doubles.mjs FOLDER …`: seeks pictures of gathered folders that are, scaled, cut to the
 * middle or mirrored, pictures that the bundled model is measured on, and names them in each folder's
 * `exclude-train.txt`, which the trainer leaves out. `--pairs FILE` writes every pair that comes near, a JSON line each.
 */
import { appendFile, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { parseArgs } from 'node:util';
import { root } from '../install.mjs';
import { difference, fingerprints, ones } from './fingerprint.mjs';
import { indexed, testPictures } from './test-pictures.mjs';

/** Bits of 128 by which hashes of a double may differ: flat grounds make some of them noise. Chance pairs begin here. */
const mostBits = 36;

/**
 * Whether pictures with near hashes are one. Of 40,000 photographs of COCO, 28 copies of coco-mini's differ by at most
 * 4 levels and 0.007; the next pairs, all of them other fog and other sea, by 11 levels and 0.05.
 * @param {ReturnType<typeof difference>} found
 */
const isDouble = ({ colour, shape }) => colour <= 12 && shape <= 0.04;

/** Pairs that are shown: near enough that a look at them tells whether the border is right. */
const isNear = (/** @type {ReturnType<typeof difference>} */ { colour, shape }) =>
  colour <= 26 && shape <= 0.08;

const { positionals: folders, values } = parseArgs({
  allowPositionals: true,
  options: {
    data: { type: 'string', default: join(root, '../shared/data') },
    examples: {
      type: 'string',
      multiple: true,
      default: [join(root, '../shared/examples'), join(root, 'examples/photographs')],
    },
    pairs: { type: 'string' },
  },
});
if (folders.length === 0) {
  console.error(
    'node scripts/bundled-data/find-doubles.mjs FOLDER … [--data FOLDER] [--examples FOLDER] [--pairs FILE]',
  );
  process.exit(2);
}

/** @type {{ name: string, print: import('./fingerprint.mjs').Fingerprint }[]} */
const tests = [];
let count = 0;
for await (const { name, picture } of testPictures(values.data, values.examples)) {
  for (const print of await fingerprints(picture, { mirrored: false })) tests.push({ name, print });
  count++;
}
const hashes = Uint32Array.from(tests.flatMap(({ print }) => [...print.bits]));
console.log(`${count} test pictures`);
if (values.pairs !== undefined) await writeFile(values.pairs, '');

for (const folder of folders) {
  const doubles = new Map();
  let seen = 0;
  for await (const { name, picture } of indexed(folder, () => true)) {
    seen++;
    const file = relative(folder, name);
    for (const pair of near(await fingerprints(picture, { mirrored: true }))) {
      if (isDouble(pair)) doubles.set(file, pair.of);
      if (values.pairs !== undefined && isNear(pair)) {
        await appendFile(
          values.pairs,
          `${JSON.stringify({ folder, file, ...pair, double: isDouble(pair) })}\n`,
        );
      }
    }
  }
  await writeFile(join(folder, 'exclude-train.txt'), [...doubles.keys()].map((file) => `${file}\n`).join(''));
  console.log(`${folder}: ${doubles.size} doubles in ${seen} pictures`);
}

/**
 * Test pictures that come near to any view of a picture, each with its nearest difference.
 * @param {readonly import('./fingerprint.mjs').Fingerprint[]} views
 */
function near(views) {
  /** @type {Map<string, { of: string } & ReturnType<typeof difference>>} */
  const found = new Map();
  for (const view of views) {
    for (const place of placesNear(view.bits)) {
      const { name, print } = tests[place] ?? {};
      if (name === undefined || print === undefined) continue;
      const unlike = difference(view, print);
      if (unlike.shape < (found.get(name)?.shape ?? 1)) found.set(name, { of: name, ...unlike });
    }
  }
  return [...found.values()];
}

/**
 * Places of the test pictures' hashes that differ in few bits.
 * @param {Uint32Array} bits
 */
function placesNear([a = 0, b = 0, c = 0, d = 0]) {
  const places = [];
  for (let at = 0; at < hashes.length; at += 4) {
    const half = ones(a ^ (hashes[at] ?? 0)) + ones(b ^ (hashes[at + 1] ?? 0));
    if (half > mostBits) continue;
    if (half + ones(c ^ (hashes[at + 2] ?? 0)) + ones(d ^ (hashes[at + 3] ?? 0)) <= mostBits)
      places.push(at / 4);
  }
  return places;
}
