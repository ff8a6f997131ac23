/**
 * `npm run train:pack -- CONFIG.json FOLDER`: packs a training for an engine elsewhere, as PyTorch on a GPU
 * (docs/torch.md). The configuration is that of `eidos train`.
 */
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { lowering, steps, trainings } from './eidos.mjs';
import { inputsOfSteps, pixelCode, writePack } from './train-pack-files.mjs';

process.on('uncaughtException', (error) => {
  console.error(error.message);
  process.exit(1);
});
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    batches: { type: 'string' },
    first: { type: 'string' },
    ahead: { type: 'string' },
    'exact-pixels': { type: 'boolean', default: false },
    help: { type: 'boolean', short: 'h', default: false },
  },
});
const [source, folder] = positionals;
if (values.help || source === undefined || folder === undefined) {
  console.log(`npm run train:pack -- CONFIG.json FOLDER [options]
  --batches N      batches that are packed and gone through again and again (default: one a step)
  --ahead N        no more than N files of batches at a time: the next is written when train.py --follow has read one
  --first N        steps that are behind: their batches are left out
  --exact-pixels   pixels as single floats, four times as large, in place of bytes`);
  process.exit(values.help ? 0 : 2);
}

const { readTrainingConfig, beginning, data, measuring, network, schedule, publishing, naming } =
  await trainings();
const config = await readTrainingConfig(source);
if (!('steps' in config.until)) {
  throw new Error(`${source}: "until" must be by steps, as each step's learning rate is packed.`);
}
const { until, optimizer, seed } = config;
const count = Math.min(until.steps, wholeNumber('batches', 1) ?? until.steps);
const first = wholeNumber('first', 0) ?? 0;
const ahead = wholeNumber('ahead', 1);
if (first >= count) throw new Error(`--first ${first}: there are ${count} batches, counted from 0`);
if (count < until.steps && (first > 0 || ahead !== undefined)) {
  throw new Error(
    '--batches: those gone through again have to stay, so that --first and --ahead need one a step',
  );
}

const firstModel = await beginning.findFirstModel(config);
const found = await data.openTrainingData(config, beginning.imageSizeOf(config, firstModel), () => {});
const begun = await beginning.beginTraining(config, firstModel, undefined, (wanted) =>
  data.learnTokenizer(found, wanted),
);
const model = await measuring.withClassifier(begun, config, found.names?.classes ?? 0);
const seen = await measuring.withImageFeatures(found, config, model, { onEvent: showProgress });
const opened = await measuring.withNearness(seen, config, { onEvent: showProgress });
const { constants, cachedClasses } = data.stepClasses(config, opened, model.tokenizer);
if (cachedClasses.length > 1) {
  throw new Error(
    `${source}: words of classes are cached for loss.classification and for loss.distillation, and a pack renews those of one: take "embedded" for the other, or train with eidos train.`,
  );
}
// A packed step is one program, so that the batch goes through it in one piece.
const { chunk: _, ...own } = data.stepOptions(config, data.sizesOf(opened));
// The frozen beginning of a tower is part of it too: the numbers are the same.
const options =
  own.imageTower?.kind === 'model' ? { ...own, imageTower: { ...own.imageTower, frozenApart: false } } : own;
const step = (await steps()).trainingStep(model.architecture, options);
const program = (await lowering()).lower(step.results);
const learner = await network.openNetwork(model.architecture, options, {
  values: model.firstValues,
  seed,
  constants,
});
const state = await learner.getState();
await learner.close();
publishing.requirePublishable(model, Object.keys(state));
const [cached] = cachedClasses;
const renewal = cached === undefined ? undefined : await renewalOf(cached);
// The model as it begins: what its folder needs besides the weights is then at hand for the way back.
await publishing.publishModel(join(folder, 'model'), model, state, {});

const { numbers, others } = inputsOfSteps(until.steps, (number) =>
  step.inputs({
    step: number,
    learningRate: schedule.learningRateAt(optimizer, { step: number, minutes: 0 }, until),
    seed,
  }),
);
const known = new Set(program.inputs.map(({ name }) => name));
const reports = [
  'loss',
  ...Object.keys(step.results).filter((name) => /^(loss:|gradient_norm$|temperature$)/.test(name)),
];
const batches = await data.openTrainingBatches(opened, config, model, first);
const command = `python3 bench/torch/train.py ${folder} --out ${join(folder, 'trained.safetensors')}`;
if (ahead !== undefined) console.log(`${command} --follow`);
const { batches: files } = await writePack({
  folder,
  program: program.model,
  state: { ...state, ...constants },
  feedback: step.feedback,
  reports,
  numbers,
  count,
  first,
  ahead,
  renewal,
  async *batches() {
    for (let i = first; i < count; i++) {
      const { tensors } = await batches.next();
      const all = Object.entries({ ...tensors, ...others(i) });
      yield Object.fromEntries(all.filter(([name]) => known.has(name)));
      process.stderr.write(`\r${i + 1} of ${count} batches`);
    }
  },
  bytes: values['exact-pixels'] ? {} : { pixels: pixelCode(model.preprocessing) },
  halves: [
    'features',
    'image_features',
    'targets',
    'class_targets',
    'sentence_vectors',
    'translation_targets',
  ],
  about: { config },
});
await batches.close();
console.log(`\n${folder}: ${until.steps} steps, ${count} batches in ${files.length} files.`);
if (ahead === undefined) console.log(`${command} --device cuda`);

/** The words of classes, which the engine elsewhere embeds now and then. */
async function renewalOf(
  /** @type {import('../../src/train/run/cached-classes.ts').CachedClasses} */ {
    state: cachedState,
    sentences,
    count: classes,
    tokenizer,
    everySteps,
  },
) {
  const rows = Math.min(naming.sentencesAtOnce, sentences.length);
  const { inputs, model: bytes } = (await lowering()).lower(naming.sentenceProgram(model.architecture, rows));
  const lacking = inputs.find(({ name }) => name !== 'tokens' && state[name] === undefined);
  if (lacking !== undefined) {
    throw new Error(
      `${source}: nothing trains the text tower ('${lacking.name}'), so that its words of classes stay as they are: train with eidos train.`,
    );
  }
  const { data: tokens, shape } = tokenizer.tokenize(sentences.map(({ text }) => text));
  return {
    state: cachedState,
    program: bytes,
    rows,
    tokens: { type: /** @type {const} */ ('int64'), data: tokens, shape },
    owners: sentences.map(({ owner }) => owner),
    classes,
    everySteps,
  };
}

/** @param {import('../../src/train/run/events.ts').TrainingEvent} event */
function showProgress(event) {
  if (event.kind !== 'preparing') return;
  const { what, done = 0, total = 0, minutesLeft = 0 } = event;
  process.stderr.write(`\r${what}: ${done} of ${total}, ${Math.ceil(minutesLeft)} minutes left `);
  if (done === total) process.stderr.write('\n');
}

/** @param {'batches' | 'first' | 'ahead'} option @param {number} least */
function wholeNumber(option, least) {
  const text = values[option];
  if (text === undefined) return undefined;
  const number = Number(text);
  if (!Number.isInteger(number) || number < least) {
    throw new Error(`--${option} ${text}: a whole number from ${least}`);
  }
  return number;
}
