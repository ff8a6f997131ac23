/**
 * Turns a training run into the bundled model: `node dist/train/first-model/export.js RUN MODEL` writes Hugging Face's
 * files with half-precision weights, the vocabulary, and embeddings to verify other machines against.
 */
import { copyFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import {
  canonicalShapes,
  type ParameterValue,
  writeHuggingFace,
  writeSafetensors,
} from '../../checkpoint/index.ts';
import { loadClip } from '../../clip/load.ts';
import { EidosError } from '../../errors.ts';
import type { ClipArchitecture } from '../../models/architecture.ts';
import { readSnapshot } from '../snapshot.ts';
import { architecture, preprocessing, vocabulary } from './settings.ts';

const { positionals } = parseArgs({ allowPositionals: true });
const [run, model] = positionals;
if (run === undefined || model === undefined) {
  throw new EidosError('invalid_option', 'Two folders are needed: RUN MODEL.');
}

/** The end token has the highest id, so that naming it finds the same place. */
const published: ClipArchitecture = {
  ...architecture,
  text: { ...architecture.text, pool: { kind: 'end', endToken: vocabulary.size - 1 } },
};
const names = [...canonicalShapes(architecture).keys()];
const parameters: Map<string, ParameterValue> = await readSnapshot(join(run, 'state.safetensors'), names);
await writeHuggingFace(model, published, parameters, { type: 'float16', preprocessing });
for (const file of [
  'tokenizer.json',
  'vocab.json',
  'merges.txt',
  'tokenizer_config.json',
  'special_tokens_map.json',
]) {
  await copyFile(join(run, file), join(model, file));
}
await writeReferences(model);

/** Patterns by formula and a few sentences, with their embeddings before normalisation in single floats. */
async function writeReferences(folder: string): Promise<void> {
  const clip = await loadClip(folder);
  try {
    const pixels = referencePixels(preprocessing.size);
    const tokenizer = await clip.tokenizer();
    const tokens = tokenizer.tokenize([
      'a photo of a dog.',
      'two children play football on a meadow',
      'ein Hund läuft über den Strand.',
      'a red car',
    ]);
    const images = await clip.embedPixels(pixels, { normalize: false });
    const texts = await clip.embedTokens(tokens, { normalize: false });
    await writeSafetensors(join(folder, 'reference.safetensors'), [
      { name: 'pixels', type: 'float32', ...pixels },
      { name: 'tokens', type: 'int64', shape: tokens.shape, data: tokens.data },
      { name: 'image_embeddings', type: 'float32', ...images },
      { name: 'text_embeddings', type: 'float32', ...texts },
    ]);
  } finally {
    await clip.close();
  }
}

/** Two pictures: waves that differ by channel, and a bright disc on a ramp. */
function referencePixels(side: number): { data: Float32Array; shape: number[] } {
  const data = new Float32Array(2 * 3 * side * side);
  for (let channel = 0; channel < 3; channel++) {
    for (let y = 0; y < side; y++) {
      for (let x = 0; x < side; x++) {
        const at = (channel * side + y) * side + x;
        data[at] = 1.5 * Math.sin((2 * Math.PI * (x * (channel + 1) + 2 * y)) / side);
        const inside = Math.hypot(x - side / 2, y - side / 2) < side / 4;
        data[3 * side * side + at] = inside ? 1.5 - channel : (2 * y) / side - 1;
      }
    }
  }
  return { data, shape: [2, 3, side, side] };
}
