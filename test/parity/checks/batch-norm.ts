/** Batch norm in training mode: loss, gradients of the image tower, and the running statistics after one step. */
import { openCheckpoint } from '../../../src/checkpoint/index.ts';
import { largestDifference, largestDifferenceOfAll, type Numbers, once, type ParityCheck } from '../check.ts';
import { fixture, readFixtureTensors } from '../fixture-files.ts';
import { trainingPass } from '../model.ts';

interface BatchNormRow {
  folder: string;
  weights: string;
  logits: number;
  loss: number;
  /** Of the largest gradient. */
  gradients: number;
  /** The README's tolerance for embeddings, which have the size of the statistics. */
  statistics: number;
}

const rows: readonly BatchNormRow[] = [
  {
    folder: 'rn-tiny',
    weights: 'model.safetensors',
    logits: 1e-4,
    loss: 1e-5,
    gradients: 1e-4,
    statistics: 2e-5,
  },
  {
    folder: 'open_clip-rn',
    weights: 'open_clip_model.safetensors',
    logits: 3e-4,
    loss: 5e-5,
    gradients: 1e-4,
    statistics: 2e-4,
  },
];

export const batchNormChecks: readonly ParityCheck[] = rows.flatMap((row): ParityCheck[] => {
  const { folder } = row;
  const truth = `${folder}/train_mode.safetensors`;
  const needs = [`${folder}/${row.weights}`, `${folder}/inputs.safetensors`, truth];
  const expected = once(() => readFixtureTensors(truth));
  const pass = once(async () => {
    const inputs = await readFixtureTensors(`${folder}/inputs.safetensors`);
    const checkpoint = await openCheckpoint(fixture(`${folder}/${row.weights}`));
    const batch = { pixels: inputs.get('pixels')!, tokens: inputs.get('tokens')! };
    return trainingPass(checkpoint, batch, { batchStatistics: true });
  });
  const stored = async (prefix: string): Promise<Map<string, Numbers>> =>
    new Map(
      [...(await expected())]
        .filter(([name]) => name.startsWith(prefix) && !name.endsWith('.num_batches_tracked'))
        .map(([name, { data }]) => [name.slice(prefix.length), { data, shape: [data.length] }]),
    );
  return [
    {
      folder,
      what: 'logits, batch norm in training mode',
      tolerance: row.logits,
      needs,
      difference: async () =>
        largestDifference((await pass()).logits, (await expected()).get('logits_per_image')!),
    },
    {
      folder,
      what: 'loss, batch norm in training mode',
      tolerance: row.loss,
      needs,
      difference: async () => largestDifference((await pass()).loss, (await expected()).get('loss')!),
    },
    {
      folder,
      what: 'gradients of the image tower, batch norm in training mode',
      tolerance: row.gradients,
      unit: 'of the largest',
      needs,
      difference: async () => {
        const wanted = await stored('gradient.');
        const { gradients } = await pass();
        const images = new Map([...gradients].filter(([name]) => wanted.has(name)));
        return largestDifferenceOfAll(images, wanted, 'of the largest');
      },
    },
    {
      folder,
      what: 'running means and variances after a step',
      tolerance: row.statistics,
      needs,
      difference: async () => largestDifferenceOfAll((await pass()).statistics, await stored('buffer.')),
    },
  ];
});
