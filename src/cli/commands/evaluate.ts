/** `eidos evaluate`: accuracy and recall of a model on a data set. */
import { Command, Option } from 'commander';
import { EidosError } from '../../errors.ts';
import type { Dataset, Evaluation, EvaluationProgress, Language, Measurement } from '../../evaluate/index.ts';
import { describeError, failureLine, someFailed } from '../failure.ts';
import { addModelOptions, collect, type ModelOptions, openModel, warn } from '../model-options.ts';
import { addTemplateOptions, type TemplateOptions, templatesOf } from '../template-options.ts';

interface Options extends ModelOptions, TemplateOptions {
  dataset: string;
  split?: string;
  where?: string[];
  labelsFile?: string;
  eachTemplate?: boolean;
  linearProbe?: string | true;
  language: Language;
}

export function evaluateCommand(): Command {
  return addModelOptions(
    addTemplateOptions(
      new Command('evaluate')
        .description('accuracy and recall on a data set, with 95 % intervals')
        .requiredOption('-d, --dataset <folder>', 'the folder of the set (its forms are told below)')
        .option('--split <part>', 'a part of the set, or all (default: test, else val, else all)')
        .option(
          '--where <field=value>',
          'only pictures with this field in index.jsonl, as often as needed',
          collect,
        )
        .option('--labels-file <file>', 'words for classes: a line a class, "name<TAB>words | synonym"')
        .option('--each-template', 'accuracy for each sentence alone, too')
        .option(
          '--linear-probe [part]',
          'instead: a linear classifier on the embeddings, fitted to this part (default: train)',
        )
        .addOption(
          new Option('--language <code>', 'of captions, templates and labels')
            .choices(['en', 'de'])
            .default('en'),
        ),
    ),
  )
    .addHelpText('after', explanation)
    .action(run);
}

const explanation = `
Forms of data sets, told from what lies in the folder:
  index.jsonl      a line a picture: "file", "split", "label" and captions "en", "de" (one or several), with the
                   pictures in tar shards beside it or as plain files
  index.json       sheets of equal tiles, one a class and part: "tile" (side), "columns" and tiles of each part,
                   "classes"; the sheets are PART-NAME.jpg or PART/NAME.webp
  class folders    CLASS/picture.jpg or PART/CLASS/picture.jpg
Pictures listed in exclude-PART.txt (a line each) are left out of that part.

Where pictures have a class: accuracy@1, accuracy@5. Where they have captions: text_to_image_recall and
image_to_text_recall @1, @5, @10; a picture counts as found by any of its captions, and only pictures with captions in
the language are searched. Equal captions of other pictures count as wrong. Figures that cannot fail, like accuracy@5
of five classes, are left out.
Classes are called by the set's own names (underscores as spaces; the first of WordNet's names) where no labels file
has words for them. A class is the mean of all its sentences: every template with every synonym. The template is
"a photo of a {}." or "ein Foto von: {}." where none is given.
--linear-probe fits multinomial logistic regression (C = 1, as scikit-learn's) to the embeddings of one part and measures
linear_probe_accuracy@1 and @5 on the other; no words are used.
Intervals are Wilson's (1927). They take trials as independent, which captions of one picture are not quite.
Pictures that cannot be read are named and left out; more than one in twenty are an error.

--json gives a line a figure: {"dataset", "split", "metric", "language", "value", "interval": [lower, upper], "n"}, with
"where" and "template" where --where and --each-template ask for them.

Examples:
  eidos evaluate --dataset photos/ --templates imagenet
  eidos evaluate --dataset flickr8k --split test --language de --json
  eidos evaluate --dataset pacs --where domain=sketch

Exit status: 0, 1 when a picture could not be read (the others are measured), 2 when nothing could be measured.`;

async function run(options: Options): Promise<void> {
  const templates = templatesOf(options);
  const where = fieldsOf(options.where);
  const { evaluate, evaluateLinearProbe, openDataset, readLabelsFile } = await import(
    '../../evaluate/index.ts'
  );
  const dataset = await openDataset(options.dataset, { split: options.split, where });
  const part = options.linearProbe === true ? 'train' : options.linearProbe;
  const learned = part === undefined ? undefined : await openDataset(options.dataset, { split: part, where });
  const labels = options.labelsFile === undefined ? undefined : await readLabelsFile(options.labelsFile);
  const clip = await openModel(options);
  const progress = options.quiet || !process.stderr.isTTY ? undefined : await progressBar();
  try {
    const shown = progress === undefined ? {} : { onProgress: progress.update };
    if (learned !== undefined) {
      const evaluation = await evaluateLinearProbe(clip, learned, dataset, shown);
      progress?.stop();
      return await print(dataset, evaluation, options);
    }
    const evaluation = await evaluate(clip, dataset, {
      language: options.language,
      ...templates,
      ...(labels === undefined ? {} : { labels }),
      eachTemplate: options.eachTemplate ?? false,
      onWarning: warn(options),
      ...shown,
    });
    progress?.stop();
    await print(dataset, evaluation, options);
  } finally {
    progress?.stop();
    await clip.close();
  }
}

async function print(
  dataset: Dataset,
  { measurements, pictures, unreadable }: Evaluation,
  { json, dataset: folder }: Options,
): Promise<void> {
  const [{ unreadBelow }, { describeUnread }] = await Promise.all([
    import('../../image/paths.ts'),
    import('../../image/unread.ts'),
  ]);
  const notRead = await unreadBelow([folder]);
  const unread = describeUnread(notRead);
  if (unreadable.length > 0) process.exitCode = someFailed;
  if (json) {
    for (const line of measurements) process.stdout.write(`${JSON.stringify(line)}\n`);
    for (const { image, error } of unreadable) {
      process.stdout.write(`${JSON.stringify({ image, error: describeError(error) })}\n`);
    }
    if (unread !== undefined) {
      process.stdout.write(`${JSON.stringify({ dataset: dataset.name, split: dataset.split, notRead })}\n`);
    }
    return;
  }
  const { name, split, where = {}, classes, excluded } = dataset;
  const facts = [
    `${pictures} pictures`,
    ...(classes.length > 0 ? [`${classes.length} classes`] : []),
    ...excluded.map(({ file, pictures }) => `${pictures} left out by ${file}`),
    ...(unreadable.length > 0 ? [`${unreadable.length} unreadable`] : []),
    ...(unread === undefined ? [] : [unread]),
  ];
  const part = [split, ...Object.entries(where).map(([field, value]) => `${field} ${value}`)].join(', ');
  process.stdout.write(`${name}, ${part}: ${facts.join(', ')}\n${table(measurements)}\n`);
  for (const { image, error } of unreadable) process.stderr.write(failureLine(image, error));
}

/** Columns of metric, value, interval and trials; figures by one template follow under its sentence. */
function table(measurements: readonly Measurement[]): string {
  const percent = (share: number) => (100 * share).toFixed(1);
  const rows = measurements.map(({ metric, template, value, interval, n }) => ({
    name: template === undefined ? metric : `${metric}  ${template}`,
    figures: `${percent(value).padStart(5)} %  ${percent(interval[0]).padStart(5)} –${percent(interval[1]).padStart(6)} %  ${n}`,
  }));
  const width = Math.max(...rows.map(({ name }) => name.length));
  const heading = `  ${''.padEnd(width)}    value   95 % interval  of`;
  return [heading, ...rows.map(({ name, figures }) => `  ${name.padEnd(width)}  ${figures}`)].join('\n');
}

function fieldsOf(where: readonly string[] = []): Record<string, string> {
  return Object.fromEntries(
    where.map((text) => {
      const [, field, value] = /^([^=]+)=(.*)$/.exec(text) ?? [];
      if (field === undefined || value === undefined) {
        throw new EidosError(
          'invalid_option',
          `--where is "${text}", but is a field and its value: domain=photo`,
        );
      }
      return [field, value];
    }),
  );
}

async function progressBar(): Promise<{ update: (progress: EvaluationProgress) => void; stop: () => void }> {
  const { SingleBar, Presets } = await import('cli-progress');
  const bar = new SingleBar(
    {
      format: '{stage} {bar} {value} of {total}, {eta_formatted} left',
      hideCursor: true,
      clearOnComplete: true,
    },
    Presets.shades_classic,
  );
  let stage: EvaluationProgress['stage'] | undefined;
  return {
    update(progress) {
      if (progress.stage !== stage) {
        if (stage !== undefined) bar.stop();
        stage = progress.stage;
        bar.start(progress.total, 0, { stage });
      }
      bar.update(progress.done, { stage });
    },
    stop: () => bar.stop(),
  };
}
