/**
 * `npm run train:unpack -- FOLDER STATE OUT`: the way back from an engine elsewhere. Makes a model that `loadClip` opens
 * of a packed training and the state that it has come to, and a checkpoint from which `eidos train --resume` goes on.
 */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { checkpoints, trainings } from './eidos.mjs';
import { readDescription } from './train-pack-files.mjs';

process.on('uncaughtException', (error) => {
  console.error(error.message);
  process.exit(1);
});
const { positionals } = parseArgs({ allowPositionals: true });
const [folder, stateFile, out] = positionals;
if (folder === undefined || stateFile === undefined || out === undefined) {
  console.log(`npm run train:unpack -- FOLDER STATE.safetensors OUT
  FOLDER was packed by npm run train:pack, STATE written by bench/torch/train.py`);
  process.exit(2);
}

const { publishing, saving, places } = await trainings();
const { canonicalShapes, openCheckpoint, openWeights, readParameter, readTensor } = await checkpoints();
const { about, feedback } = await readDescription(folder);
const first = join(folder, 'model');
const { architecture, preprocessing, parameters } = await openCheckpoint(first);
/** @type {Record<string, Uint8Array>} */
const tokenizerFiles = {};
for (const name of await readdir(first)) {
  if (/^(model\.safetensors|config\.json|preprocessor_config\.json)$/.test(name)) continue;
  tokenizerFiles[name] = await readFile(join(first, name));
}
/** @type {Record<string, import('../../src/engine/engine.ts').RuntimeTensor>} */
const state = {};
const { tensors, metadata } = await openWeights(stateFile);
for (const [name, stored] of tensors) {
  if (stored.type === 'float32') {
    state[name] = { type: 'float32', data: await readTensor(stored), shape: stored.shape };
  }
}
const lacking = feedback.find(([, name]) => state[name] === undefined);
if (lacking !== undefined) throw new Error(`${stateFile} lacks '${lacking[1]}': it is of another training.`);
const step = Number(metadata.step);
/** What no step has touched, such as an image tower that features stand for. @type {Map<string, import('../../src/graph/tensor.ts').FloatTensor>} */
const firstValues = new Map();
for (const [name, shape] of canonicalShapes(architecture)) {
  const stored = parameters.get(name);
  if (state[name] !== undefined || stored === undefined) continue;
  firstValues.set(name, { data: await readParameter(stored), shape });
}
const model = { architecture, preprocessing, tokenizerFiles, firstValues };
publishing.requirePublishable(model, Object.keys(state));
await publishing.publishModel(out, model, state, { step: String(step) });
const config = JSON.stringify({ ...about.config, output: out }, undefined, 2);
const checkpoint = await saving.writeCheckpoint(places.trainingPlaces(out).checkpoints, state, {
  progress: { step, minutes: 0, kilowattHours: 0, window: { steps: 0, sums: {} } },
  config,
});
await saving.writeWholeFile(places.trainingPlaces(out).config, `${config}\n`);
console.log(
  `${out}: the model after ${step} steps.\n${checkpoint}: to go on from with eidos train ${out} --resume.`,
);
