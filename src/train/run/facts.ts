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
  const count = (number: number, one: string, several = `${one}s`): string =>
    `${number.toLocaleString('en')} ${number === 1 ? one : several}`;
  const names = sources.map(({ name, pictures }) => `${name} (${pictures.length.toLocaleString('en')})`);
  const all = parameterCount(architecture);
  return [
    [
      `${count(size, 'picture')} from ${names.join(', ')}`,
      ...(classes.length > 0 ? [count(classes.length, 'class', 'classes')] : []),
      ...(broken.length > 0 ? [`${count(broken.length, 'broken one')} left out`] : []),
    ].join('; '),
    `A model of ${count(all, 'parameter')}; ${trainedCount === all ? 'all of them learn' : `${count(trainedCount, 'number')} learn, heads of losses included`}`,
    'steps' in until
      ? `${count(until.steps, 'step')} of ${batch} pairs: each picture ${times((until.steps * batch) / size)} times`
      : `${count(until.minutes, 'minute')} in steps of ${batch} pairs`,
  ];
}

function times(mean: number): string {
  return mean < 10 ? mean.toPrecision(2) : Math.round(mean).toLocaleString('en');
}
