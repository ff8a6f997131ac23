/**
 * `npm run bundle:model -- TRAINED [--size PIXELS]`: makes a trained model the one that comes with eidos: weights in half
 * precision, its vocabulary, and embeddings by which `eidos verify` tells whether another machine gives the same.
 */
import { copyFileSync, existsSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { build } from './build.mjs';
import { installIfNeeded, root } from './install.mjs';

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    size: { type: 'string' },
    output: { type: 'string', default: join(root, 'models/eidos-small') },
  },
});
const [trained] = positionals;
if (trained === undefined) {
  console.error('npm run bundle:model -- TRAINED [--size PIXELS] [--output FOLDER]');
  process.exit(2);
}
installIfNeeded();
build();
/** @type {typeof import('../src/index.ts')} */
const { loadClip } = await import(new URL('../dist/index.js', import.meta.url).href);
/** @type {typeof import('../src/checkpoint/index.ts')} */
const { openCheckpoint, readParameter, writeModel, writeSafetensors } = await import(
  new URL('../dist/checkpoint/index.js', import.meta.url).href
);

const { architecture, preprocessing, parameters } = await openCheckpoint(trained);
// A convolutional tower takes pictures of other sizes than those that it was trained on.
const size = Number(values.size ?? architecture.image.imageSize);
/** @type {Map<string, import('../src/checkpoint/index.ts').ParameterValue>} */
const numbers = new Map();
for (const [name, tensor] of parameters) {
  numbers.set(name, { data: await readParameter(tensor), shape: [...tensor.shape] });
}
await writeModel(
  values.output,
  { ...architecture, image: { ...architecture.image, imageSize: size } },
  numbers,
  {
    type: 'float16',
    // The table of pieces and the projections are most of the numbers and bear rounding best.
    eightBits: (name, shape) =>
      shape.length === 2 && (name === 'text.token_embedding' || name.startsWith('image.projection')),
    preprocessing: { ...preprocessing, size },
  },
);
for (const file of [
  'tokenizer.json',
  'vocab.json',
  'merges.txt',
  'tokenizer_config.json',
  'special_tokens_map.json',
]) {
  const from = join(trained, file);
  const to = join(values.output, file);
  if (existsSync(from) && from !== to) copyFileSync(from, to);
}

const clip = await loadClip(values.output);
try {
  const pixels = referencePixels(size);
  const tokenizer = await clip.tokenizer();
  const tokens = tokenizer.tokenize([
    'a photo of a dog.',
    'two children play football on a meadow',
    'ein Hund läuft über den Strand.',
    'a red car',
  ]);
  const images = await clip.embedPixels(pixels, { normalize: false });
  const texts = await clip.embedTokens(tokens, { normalize: false });
  await writeSafetensors(join(values.output, 'reference.safetensors'), [
    { name: 'pixels', type: 'float32', ...pixels },
    { name: 'tokens', type: 'int64', shape: tokens.shape, data: tokens.data },
    { name: 'image_embeddings', type: 'float32', ...images },
    { name: 'text_embeddings', type: 'float32', ...texts },
  ]);
} finally {
  await clip.close();
}
console.log(`${values.output} holds the model of ${trained}, for pictures of ${size} pixels.`);

/**
 * A picture: waves that differ by channel, and a bright disc before them.
 * @param {number} side
 */
function referencePixels(side) {
  const data = new Float32Array(3 * side * side);
  for (let channel = 0; channel < 3; channel++) {
    for (let y = 0; y < side; y++) {
      for (let x = 0; x < side; x++) {
        const inside = Math.hypot(x - side / 2, y - side / 2) < side / 4;
        const wave = 1.5 * Math.sin((2 * Math.PI * (x * (channel + 1) + 2 * y)) / side);
        data[(channel * side + y) * side + x] = inside ? 1.5 - channel : wave;
      }
    }
  }
  return { data, shape: [1, 3, side, side] };
}
