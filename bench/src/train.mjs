/** `npm run bench:train`: a training step as a share of the Gemm rate, and beside PyTorch where it is installed. */
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { contestant } from './contestant.mjs';
import { printHead, printRow } from './report.mjs';
import { compare, inTermsOf } from './rounds.mjs';
import { findTorch, torchContestant } from './torch.mjs';
import { batch, classes, learningRate, optimiser, trainedVit } from './train-setting.mjs';

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '6' },
    threads: { type: 'string' },
    json: { type: 'boolean', default: false },
  },
});
const rounds = Number(values.rounds);
const all = availableParallelism();
const counts = values.threads === undefined ? [...new Set([1, all])] : [Number(values.threads)];
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
  const step = await contestant('step', { kind: 'step', threads });
  const bare = await contestant('step', { kind: 'products', threads });
  const pairs = await compare(step, bare, () => ({ runs: 2 }), rounds);
  const work = pairs.ours.value.operations / pairs.theirs.value.operations;
  const share = inTermsOf(pairs, (ratio) => ratio * work);
  const rate = (/** @type {import('./contestant.mjs').Outcome} */ { value, seconds }) =>
    (value.operations / seconds / 1e9).toFixed(0);
  printRow(
    {
      metric: `training step's share of the Gemm rate, ${threads} thread${threads > 1 ? 's' : ''}`,
      comparison: share,
      value: share.wall,
      target: 0.65,
      atLeast: true,
      detail: `${rate(share.ours)} of ${rate(share.theirs)} GFLOP/s`,
    },
    values.json,
  );
  await bare.end();
  if (torch !== undefined) {
    const setup = { threads, vit: trainedVit, batch, classes, optimiser, learningRate };
    const theirs = await torchContestant(torch.python, setup);
    const beside = await compare(step, theirs, () => ({ runs: 2 }), rounds);
    printRow(
      {
        metric: `training step beside PyTorch ${torch.version}, ${threads} thread${threads > 1 ? 's' : ''}`,
        comparison: beside,
        value: beside.wall,
        target: 1,
        atLeast: true,
        detail: `${((beside.ours.seconds / 2) * 1000).toFixed(0)} against ${((beside.theirs.seconds / 2) * 1000).toFixed(0)} ms a step`,
      },
      values.json,
    );
    await theirs.end();
  }
  await step.end();
}
