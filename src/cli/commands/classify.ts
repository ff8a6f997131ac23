/** `eidos classify`: names pictures by the labels that fit best. */
import { Command } from 'commander';
import type { Clip } from '../../clip/clip.ts';
import { EidosError } from '../../errors.ts';
import type { Classification } from '../../tasks/classify/classify.ts';
import { barRows } from '../bars.ts';
import { describeError, failureLine, someFailed } from '../failure.ts';
import { expandImages } from '../images.ts';
import {
  addModelOptions,
  collect,
  type ModelOptions,
  openModel,
  warn,
  wholeNumber,
} from '../model-options.ts';
import { addTemplateOptions, type TemplateOptions, templatesOf } from '../template-options.ts';
import { readWordList } from '../word-lists.ts';

interface Options extends ModelOptions, TemplateOptions {
  labels?: string;
  label?: string[];
  labelsFile?: string;
  topK?: number;
}

export function classifyCommand(): Command {
  return addModelOptions(
    addTemplateOptions(
      new Command('classify')
        .description('say which of the given labels fit each picture')
        .argument('<images...>', 'pictures, folders or patterns')
        .option('-l, --labels <labels>', 'labels, separated by commas')
        .option('--label <label>', 'a label, as often as needed (for labels with commas)', collect)
        .option('--labels-file <file>', 'a file with a label a line')
        .option('-k, --top-k <k>', 'labels shown for each picture', wholeNumber('--top-k')),
    ),
  )
    .addHelpText(
      'after',
      `
Examples:
  eidos classify piano.jpg --labels "a piano,a guitar,a fluffy cat"
  eidos classify holiday/ --labels "beach,mountains,food" --template "a photo of {}" --json

Exit status: 0, 1 when a picture could not be found or read (the others are answered), 2 for wrong usage and where the
model cannot be opened.`,
    )
    .action(run);
}

async function run(patterns: string[], options: Options): Promise<void> {
  const labels = await readLabels(options);
  const [{ createZeroShotClassifier }, { paths, missing }, clip] = await Promise.all([
    import('../../tasks/classify/classify.ts'),
    expandImages(patterns, options),
    openModel(options, { load: 'fast-start' }),
  ]);
  // Among one label its share is no finding, whatever the picture.
  const isAlone = labels.length === 1 && clip.config.architecture.probability === 'softmax';
  const shown = { ...options, isAlone };
  try {
    for (const failure of missing) print({ image: failure.pattern, error: failure.error }, clip, shown);
    const classifier = await createZeroShotClassifier(clip, labels, {
      ...templatesOf(options),
      onWarning: warn(options),
    });
    const topK = options.topK ?? (options.json ? labels.length : Math.min(labels.length, 5));
    for await (const answer of classifier.classifyStream(paths, { topK })) print(answer, clip, shown);
  } finally {
    await clip.close();
  }
}

function print(
  answer: Classification,
  { config }: Clip,
  { json, isAlone }: Pick<Options, 'json'> & { isAlone: boolean },
): void {
  if ('error' in answer) process.exitCode = someFailed;
  if (json) {
    const line =
      'error' in answer
        ? { image: answer.image, error: describeError(answer.error) }
        : { image: answer.image, model: config.model, results: answer.results };
    process.stdout.write(`${JSON.stringify(line)}\n`);
  } else if ('error' in answer) process.stderr.write(failureLine(answer.image, answer.error));
  else if (answer.results.length === 1 && isAlone) {
    const { label, similarity } = answer.results[0]!;
    process.stdout.write(`${answer.image}\n  ${label}  cosine ${similarity.toFixed(3)}\n\n`);
  } else process.stdout.write(`${answer.image}\n${barRows(answer.results)}\n\n`);
}

async function readLabels({ labels, label = [], labelsFile }: Options): Promise<string[]> {
  const given = [
    ...(labels === undefined ? [] : labels.split(',')),
    ...label,
    ...(labelsFile === undefined ? [] : await readWordList('--labels-file', labelsFile)),
  ]
    .map((text) => text.trim())
    .filter((text) => text !== '');
  if (given.length === 0) {
    throw new EidosError(
      'invalid_option',
      'No labels: give --labels "a cat,a dog", --label or --labels-file.',
    );
  }
  return given;
}
