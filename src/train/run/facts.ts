/** What a training is, in a few lines for people. */
import { parameterCount } from '../../checkpoint/index.ts';
import type { TrainingConfig } from '../config.ts';
import type { TrainingData } from '../data/training-data.ts';
import type { Network } from './network.ts';
import type { PublishedModel } from './publish.ts';

/** Data, model and length, a line each. */
export function factsOf(
  { batch, until }: TrainingConfig,
  { sources, size, classes, broken }: TrainingData,
  { architecture }: PublishedModel,
  { trainedCount }: Pick<Network, 'trainedCount'>,
): string[] {
  const count = (number: number, what: string): string => `${number.toLocaleString('en')} ${what}`;
  const names = sources.map(({ name, pictures }) => `${name} (${pictures.length.toLocaleString('en')})`);
  const all = parameterCount(architecture);
  return [
    [
      `${count(size, 'pictures')} from ${names.join(', ')}`,
      ...(classes.length > 0 ? [count(classes.length, 'classes')] : []),
      ...(broken.length > 0 ? [`${broken.length} broken ones left out`] : []),
    ].join('; '),
    `A model of ${count(all, 'parameters')}; ${trainedCount === all ? 'all of them' : count(trainedCount, 'numbers')} learn`,
    'steps' in until
      ? `${count(until.steps, 'steps')} of ${batch} pairs: each picture ${((until.steps * batch) / size).toPrecision(2)} times`
      : `${until.minutes} minutes in steps of ${batch} pairs`,
  ];
}
