/** `eidos study`: experiments on a model and a data set. */
import { writeFile } from 'node:fs/promises';
import { Command, Option } from 'commander';
import { EidosError } from '../../errors.ts';
import type { LimitsStudy, PromptStudy } from '../../study/index.ts';
import type { ExplanationMethod } from '../../tasks/explain/index.ts';
import { type PromptTemplateSet, promptTemplates } from '../../text/templates.ts';
import { describeError, failureLine, someFailed } from '../failure.ts';
import {
  addModelOptions,
  collect,
  type ModelOptions,
  openModel,
  warn,
  wholeNumber,
} from '../model-options.ts';
import { templatesOf } from '../template-options.ts';
import { readWordList } from '../word-lists.ts';

interface Options extends ModelOptions {
  dataset: string;
  split?: string;
  template?: string[];
  templates?: string;
  labelsFile?: string;
  seed?: number;
}

interface PromptOptions extends Options {
  normalize: 'rows' | 'classes';
  report?: string;
}

interface LimitsCommandOptions extends Options {
  validation?: string;
  errorRate?: string;
}

export function studyCommand(): Command {
  return new Command('study')
    .description('experiments with intervals: prompts, limits, explanations')
    .addCommand(promptsCommand())
    .addCommand(limitsCommand())
    .addCommand(explanationsCommand());
}

function addStudyOptions(command: Command): Command {
  return addModelOptions(
    command
      .requiredOption(
        '-d, --dataset <folder>',
        'the folder of the set, in any form that eidos evaluate reads',
      )
      .option('--split <part>', 'a part of the set, or all (default: test, else val, else all)')
      .option('--template <sentence>', 'a sentence with {} for the name, as often as needed', collect)
      .option(
        '--templates <set>',
        `a published set (${Object.keys(promptTemplates).join(', ')}), or a file with a sentence a line`,
      )
      .option('--labels-file <file>', 'words for classes: a line a class, "name<TAB>words | synonym"')
      .option('--seed <n>', 'for resampling (default: 0)', wholeNumber('--seed')),
  );
}

function promptsCommand(): Command {
  return addStudyOptions(
    new Command('prompts').description('what the sentence around a name does to zero-shot accuracy'),
  )
    .addOption(
      new Option('--normalize <axis>', 'length one for each class, or the slip of the paper’s own code')
        .choices(['rows', 'classes'])
        .default('rows'),
    )
    .option('--report <file>', 'write the table and a chart: .html, or .md')
    .addHelpText(
      'after',
      `
All prompts are compared with the plain name, "{}", on the same pictures: difference, McNemar's exact test, corrected for
all prompts after Holm. The paper's eleven prompts are the default, with its own figures beside them.

--json gives a line a prompt: {"study":"prompts","template","accuracy","low","high","n","difference","p","pHolm"}, then one
with "summary": true.

Example:
  eidos study prompts --dataset cifar-10 --report prompts.html

Exit status: 0, 1 when a picture could not be read, 2 when nothing could be measured.`,
    )
    .action(runPrompts);
}

function limitsCommand(): Command {
  return addStudyOptions(
    new Command('limits').description(
      'how far probabilities can be believed, and whether unknown things are noticed',
    ),
  )
    .option('--validation <part>', 'the part to fit on (default: half of the measured part, by content)')
    .option('--error-rate <share>', 'of sets of labels that may miss the right one (default: 0.1)')
    .addHelpText(
      'after',
      `
Temperature is fitted on the validation part alone. ece: bins of equal numbers; none: half of the classes, by a hash of
their names, are unknown, averaged over five halves; risk_coverage_area: mean share of wrong answers, the surest first;
conformal: sets of labels that miss the right one with the error rate. Intervals are by resampling of pictures.

--json gives a line a figure: {"study":"limits","metric","value","low","high"}.

Example:
  eidos study limits --dataset cifar-10 --json`,
    )
    .action(runLimits);
}

function explanationsCommand(): Command {
  return addModelOptions(
    new Command('explanations')
      .description('which way of explaining a picture tells the truth about a model, and how long it takes')
      .requiredOption('-d, --dataset <folder>', 'a set with captions or classes')
      .option('--split <part>', 'a part of the set, or all (default: test, else val, else all)')
      .option(
        '--method <method>',
        'only this one, as often as needed (default: all that suit the model)',
        collect,
      )
      .option('--pictures <n>', 'so many, the first of the part (default: 40)', wholeNumber('--pictures')),
  )
    .addHelpText(
      'after',
      `
Each picture is explained by its first caption, or the name of its class. Figures are means of insertion area less that of
random orders, and of random orders' deletion area less the map's: above 0 a map is truer than chance.

--json gives a line a method: {"study":"explanations","method","insertion":{"value","low","high"},"deletion":{…},"better",
"milliseconds","n"}.

Example:
  eidos study explanations --dataset coco-mini`,
    )
    .action(runExplanations);
}

interface ExplanationOptions extends ModelOptions {
  dataset: string;
  split?: string;
  pictures?: number;
  method?: ExplanationMethod[];
}

async function runExplanations(options: ExplanationOptions): Promise<void> {
  const [{ studyExplanations }, { openDataset }] = await Promise.all([
    import('../../study/index.ts'),
    import('../../evaluate/index.ts'),
  ]);
  const dataset = await openDataset(options.dataset, { split: options.split });
  const clip = await openModel(options);
  try {
    const figures = await studyExplanations(clip, dataset, {
      pictures: options.pictures,
      methods: options.method,
    });
    const signed = (value: number): string => `${value < 0 ? '−' : '+'}${Math.abs(value).toFixed(3)}`;
    for (const one of figures) {
      const { method, insertion, deletion, better, milliseconds } = one;
      process.stdout.write(
        options.json
          ? `${JSON.stringify({ study: 'explanations', ...one })}\n`
          : `${method.padEnd(21)} insertion ${signed(insertion.value)} (${signed(insertion.low)} to ${signed(insertion.high)})  deletion ${signed(deletion.value)} (${signed(deletion.low)} to ${signed(deletion.high)})  better ${(100 * better).toFixed(0)} %  ${milliseconds.toFixed(0)} ms\n`,
      );
    }
  } finally {
    await clip.close();
  }
}

async function runPrompts(options: PromptOptions): Promise<void> {
  const kind = reportKind(options.report);
  const [{ studyPrompts }, { promptReport }, opened] = await Promise.all([
    import('../../study/index.ts'),
    import('../../study/report.ts'),
    open(options),
  ]);
  const { clip, dataset, shared } = opened;
  try {
    const study = await studyPrompts(clip, dataset, { ...shared, normalize: options.normalize });
    if (kind !== undefined) await writeFile(options.report!, promptReport(study, clip.config.model, kind));
    printPrompts(study, options);
  } finally {
    await clip.close();
  }
}

async function runLimits(options: LimitsCommandOptions): Promise<void> {
  const [{ studyLimits }, { openDataset }, opened] = await Promise.all([
    import('../../study/index.ts'),
    import('../../evaluate/index.ts'),
    open(options),
  ]);
  const { clip, dataset, shared } = opened;
  try {
    const validation =
      options.validation === undefined
        ? undefined
        : await openDataset(options.dataset, { split: options.validation });
    const study = await studyLimits(clip, dataset, {
      ...shared,
      validation,
      ...(options.errorRate === undefined ? {} : { errorRate: Number(options.errorRate) }),
    });
    printLimits(study, options);
  } finally {
    await clip.close();
  }
}

async function open(options: Options) {
  const sentences = templatesOf({
    template: options.template,
    templates: await templatesNamed(options.templates),
  });
  const { openDataset, readLabelsFile } = await import('../../evaluate/index.ts');
  const dataset = await openDataset(options.dataset, { split: options.split });
  const labels = options.labelsFile === undefined ? undefined : await readLabelsFile(options.labelsFile);
  const clip = await openModel(options);
  return { clip, dataset, shared: { ...sentences, labels, seed: options.seed, onWarning: warn(options) } };
}

/** A published set by its name, or the lines of a file but for those that begin with #. */
async function templatesNamed(name: string | undefined): Promise<PromptTemplateSet | string[] | undefined> {
  if (name === undefined) return undefined;
  if (Object.hasOwn(promptTemplates, name)) return name as PromptTemplateSet;
  const lines = await readWordList('--templates', name).catch((cause: EidosError) => {
    const sets = Object.keys(promptTemplates).join(', ');
    throw new EidosError(cause.code, `${cause.message} The published sets are ${sets}.`, { cause });
  });
  const sentences = lines.filter((line) => !line.startsWith('#'));
  if (sentences.length > 0) return sentences;
  throw new EidosError('invalid_option', `--templates ${name} has no line with a sentence.`);
}

function reportKind(file: string | undefined): 'html' | 'markdown' | undefined {
  if (file === undefined) return undefined;
  if (file.endsWith('.html')) return 'html';
  if (file.endsWith('.md')) return 'markdown';
  throw new EidosError(
    'invalid_option',
    `--report ${file}: a page (.html) or Markdown (.md) can be written.`,
  );
}

function printPrompts(study: PromptStudy, { json, report }: PromptOptions): void {
  const failed = study.unreadable;
  if (failed.length > 0) process.exitCode = someFailed;
  if (json) {
    for (const { template, accuracy, low, high, n, difference, p, pHolm, ...rest } of study.prompts) {
      const line = { study: 'prompts', template, accuracy, low, high, n, difference, p, pHolm, ...rest };
      process.stdout.write(`${JSON.stringify(line)}\n`);
    }
    const { dataset, split, normalize, best, ensemble, winners, n } = study;
    const last = { study: 'prompts', summary: true, dataset, split, normalize, best, ensemble, winners, n };
    process.stdout.write(`${JSON.stringify(last)}\n`);
    for (const { image, error } of failed) {
      process.stdout.write(`${JSON.stringify({ image, error: describeError(error) })}\n`);
    }
    return;
  }
  const width = Math.max(...study.prompts.map(({ template }) => template.length));
  const percent = (share: number): string => (100 * share).toFixed(1).padStart(5);
  const rows = study.prompts.map(
    ({ template, accuracy, low, high, difference, pHolm, paper }) =>
      `  ${template.padEnd(width)}  ${percent(accuracy)} %  ${percent(low)} –${percent(high)} %  ${`${difference < 0 ? '−' : '+'}${Math.abs(100 * difference).toFixed(1)}`.padStart(6)}  ${(pHolm < 1e-4 ? '< .0001' : pHolm.toFixed(4)).padStart(8)}  ${paper === undefined ? '' : percent(paper)}`,
  );
  const { accuracy, low, high } = study.ensemble;
  process.stdout.write(
    `${study.dataset}, ${study.split}: ${study.n} pictures\n  ${''.padEnd(width)}  accuracy   95 %           to {}  p (Holm)  paper\n${rows.join('\n')}\n  ${'all together'.padEnd(width)}  ${percent(accuracy)} %  ${percent(low)} –${percent(high)} %\n  best: ${study.best}\n${report === undefined ? '' : `  written: ${report}\n`}`,
  );
  for (const { image, error } of failed) process.stderr.write(failureLine(image, error));
}

function printLimits(study: LimitsStudy, { json }: ModelOptions): void {
  if (study.unreadable.length > 0) process.exitCode = someFailed;
  if (json) {
    for (const figure of study.figures) {
      process.stdout.write(`${JSON.stringify({ study: 'limits', ...figure })}\n`);
    }
    return;
  }
  const rows = study.figures.map(
    ({ metric, value, low, high }) =>
      `  ${metric.padEnd(20)} ${value.toFixed(4).padStart(8)}  ${low.toFixed(4)} – ${high.toFixed(4)}`,
  );
  process.stdout.write(
    `${study.dataset}, ${study.split}: ${study.n} pictures, fitted on ${study.validationPictures} others\n${rows.join('\n')}\n  factor of cosines: ${study.scaleBefore.toFixed(1)} → ${study.scaleAfter.toFixed(1)}\n`,
  );
}
