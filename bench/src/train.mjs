/** `npm run bench:train`: a training step as a share of the Gemm rate, and beside PyTorch where it is installed. */
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { contestant } from './contestant.mjs';
import { printHead, printRow } from './report.mjs';
import { compare, inTermsOf } from './rounds.mjs';
import { findTorch, torchContestant } from './torch.mjs';
import { embeddingSize, learningRate, optimiser, trainedText, trainings } from './train-setting.mjs';
import { shareOfWaiting } from './train-waiting.mjs';

const models = Object.keys(trainings);
const all = ['gemm', ...models, 'waiting'];
const { values } = parseArgs({
  options: {
    only: { type: 'string', multiple: true },
    rounds: { type: 'string', default: '6' },
    threads: { type: 'string' },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', short: 'h', default: false },
  },
});
if (values.help) {
  console.log(`npm run bench:train -- [options]
  --only PART     one of ${all.join(', ')}; as often as wanted
  --rounds N      pairs of runs a figure (default 6)
  --threads N     threads of both sides (default one, then all)
  --json          a figure a line as JSON`);
  process.exit();
}
/** Steps a run. */
const runs = 2;
const parts = values.only ?? all;
for (const part of parts) {
  if (!all.includes(part)) {
    console.error(`--only ${part}: the parts are ${all.join(', ')}`);
    process.exit(2);
  }
}
const rounds = Number(values.rounds);
const counts =
  values.threads === undefined ? [...new Set([1, availableParallelism()])] : [Number(values.threads)];
if (![rounds, ...counts].every((value) => Number.isInteger(value) && value > 0)) {
  console.error('--rounds and --threads are whole numbers from 1');
  process.exit(2);
}

printHead(values.json);
const torch = findTorch();
if (torch === undefined && !values.json) {
  console.log('PyTorch is not installed (on Debian: apt-get install python3-torch), so it is left out.\n');
}
for (const threads of counts) {
  if (parts.includes('gemm')) await gemmShare(threads);
  if (torch !== undefined) {
    for (const model of models.filter((key) => parts.includes(key))) await besideTorch(model, torch, threads);
  }
  if (parts.includes('waiting')) await waiting(threads);
}

/** How long a training from the data beside the clone waits for them. @param {number} threads */
async function waiting(threads) {
  const share = await shareOfWaiting('vit', threads);
  if (share === undefined) {
    if (!values.json)
      console.log('../shared/data is not beside this clone, so waiting for data is left out.');
    return;
  }
  print({
    metric: `share of time waiting for data, ${inWords(threads)} and one for the data`,
    value: share.waiting,
    target: 0.05,
    atLeast: false,
    digits: 3,
    detail: `${share.picturesPerSecond.toFixed(0)} pictures/s`,
  });
}

/** How near a step comes to bare products of its shapes. @param {number} threads */
async function gemmShare(threads) {
  const step = await contestant('step', { kind: 'step', training: 'vit', threads });
  const bare = await contestant('step', { kind: 'products', threads });
  const pairs = await compare(step, bare, () => ({ runs }), rounds);
  const work = pairs.ours.value.operations / pairs.theirs.value.operations;
  const share = inTermsOf(pairs, (ratio) => ratio * work);
  const rate = (/** @type {import('./contestant.mjs').Outcome} */ { value, seconds }) =>
    (value.operations / seconds / 1e9).toFixed(0);
  print({
    metric: `training step's share of the Gemm rate, ${inWords(threads)}`,
    comparison: share,
    value: share.wall,
    target: 0.65,
    atLeast: true,
    detail: `${rate(share.ours)} of ${rate(share.theirs)} GFLOP/s`,
  });
  await bare.end();
  await step.end();
}

/**
 * Samples a second and peak memory beside PyTorch, in whichever layout of pictures it is faster.
 * @param {string} key @param {{ python: string, version: string }} torch @param {number} threads
 */
async function besideTorch(key, { python, version }, threads) {
  const training = trainings[key];
  if (training === undefined) return;
  const { name, target, batch, image } = training;
  const setup = { threads, batch, image, text: trainedText, embeddingSize, optimiser, learningRate };
  const theirs = await fasterLayout(python, setup);
  const ours = await contestant('step', { kind: 'step', training: key, threads });
  const beside = await compare(ours, theirs, () => ({ runs }), rounds);
  const rate = (/** @type {import('./contestant.mjs').Outcome} */ { seconds }) =>
    ((batch * runs) / seconds).toFixed(0);
  print({
    metric: `${name} and text: samples/s beside ${theirs.name} ${version}, ${inWords(threads)}`,
    comparison: beside,
    value: beside.wall,
    target,
    atLeast: true,
    detail: `${rate(beside.ours)} against ${rate(beside.theirs)} samples/s`,
  });
  const [our, their] = [beside.ours.value.peak, beside.theirs.value.peak];
  print({
    metric: `${name} and text: peak memory beside PyTorch, ${inWords(threads)}`,
    value: our / their,
    target: 1,
    atLeast: false,
    detail: `${our.toFixed(0)} against ${their.toFixed(0)} MB`,
  });
  await ours.end();
  await theirs.end();
}

/** @param {string} python @param {Parameters<typeof torchContestant>[1]} setup */
async function fasterLayout(python, setup) {
  const usual = await torchContestant(python, setup);
  if (setup.image.kind === 'vit') return usual;
  const other = await torchContestant(python, { ...setup, channelsLast: true });
  const pairs = await compare(other, usual, () => ({ runs: 1 }), 2);
  const [faster, slower] = pairs.wall > 1 ? [other, usual] : [usual, other];
  await slower.end();
  return faster;
}

/** @param {number} threads */
function inWords(threads) {
  return `${threads} thread${threads > 1 ? 's' : ''}`;
}

/** @param {import('./report.mjs').Row} row */
function print(row) {
  printRow(row, values.json);
}
