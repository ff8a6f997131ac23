/** What a training is, in a few lines for people. */
import { parameterCount } from '../../checkpoint/index.ts';
import type { TrainingConfig } from '../config.ts';
import type { TrainingData } from '../data/training-data.ts';
import { readsPictures, sentencesOf, translationsOf } from '../step/text-groups.ts';
import type { Network } from './network.ts';
import type { PublishedModel } from './publish.ts';

/** Data, model and length, a line each. */
export function factsOf(
  { batch, until, loss }: TrainingConfig,
  { sources, size, classes, broken, sentences }: TrainingData,
  { architecture }: PublishedModel,
  { trainedCount }: Pick<Network, 'trainedCount'>,
): string[] {
  const count = (number: number, one: string, several = `${one}s`): string =>
    `${number.toLocaleString('en')} ${number === 1 ? one : several}`;
  const named = (name: string, { length }: { length: number }) => `${name} (${length.toLocaleString('en')})`;
  const names = sources.map(({ name, pictures }) => named(name, pictures));
  const files = sentences.map(({ name, texts }) => named(name, texts));
  const sentenceCount = sentences.reduce((sum, { texts }) => sum + texts.length, 0);
  const brokenLines = sentences.reduce((sum, file) => sum + file.broken.length, 0);
  const all = parameterCount(architecture);
  const pairs = readsPictures(loss) ? batch : 0;
  const ofText = sentencesOf(loss);
  const ofLanguages = translationsOf(loss);
  const seen = [
    ...(pairs > 0 ? [`${pairs} pairs`] : []),
    ...(ofText > 0 ? [count(ofText, 'sentence')] : []),
    ...(ofLanguages > 0 ? [count(ofLanguages, 'translation')] : []),
  ].join(' and ');
  return [
    ...(size === 0
      ? []
      : [
          [
            `${count(size, 'picture')} from ${names.join(', ')}`,
            ...(classes.length > 0 ? [count(classes.length, 'class', 'classes')] : []),
            ...(broken.length > 0 ? [`${count(broken.length, 'broken one')} left out`] : []),
          ].join('; '),
        ]),
    ...(files.length === 0
      ? []
      : [
          [
            `${count(sentenceCount, 'sentence')} from ${files.join(', ')}`,
            ...(brokenLines > 0 ? [`${count(brokenLines, 'broken line')} left out`] : []),
          ].join('; '),
        ]),
    `A model of ${count(all, 'parameter')}; ${trainedCount === all ? 'all of them learn' : `${count(trainedCount, 'number')} learn, heads of losses included`}`,
    'steps' in until
      ? `${count(until.steps, 'step')} of ${seen}${pairs === 0 ? '' : `: each picture ${times((until.steps * batch) / size)} times`}`
      : `${count(until.minutes, 'minute')} in steps of ${seen}`,
  ];
}

function times(mean: number): string {
  return mean < 10 ? mean.toPrecision(2) : Math.round(mean).toLocaleString('en');
}
