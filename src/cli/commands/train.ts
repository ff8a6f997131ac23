/** `eidos train`: from pictures and captions to a model. */
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { dirname, relative, resolve } from 'node:path';
import { Command } from 'commander';
import { EidosError } from '../../errors.ts';
import type { TrainingConfigInput, TrainingEvent } from '../../train/index.ts';
import { acceptModelOptions, wholeNumber } from '../model-options.ts';

interface Options {
  folder?: string;
  out?: string;
  model?: string;
  steps?: number;
  minutes?: number;
  init?: string;
  resume?: boolean;
  measureOnly?: boolean;
  threads?: number;
  json?: boolean;
  quiet?: boolean;
}

export function trainCommand(): Command {
  return acceptModelOptions(
    new Command('train')
      .description('train a model on pictures with captions or classes')
      .argument('[config]', 'a configuration, CONFIG.json; with --resume also the folder of a training')
      .option(
        '--folder <folder>',
        'in place of a configuration: pictures in class folders, with captions beside them, or a table',
      )
      .option('--out <folder>', 'where the model goes, with --folder')
      .option('-m, --model <model>', 'the model to begin with, with --folder (default: the bundled one)')
      .option('--steps <n>', 'steps of training, with --folder (default: 300)', wholeNumber('--steps'))
      .option('--minutes <m>', 'minutes of training, with --folder', minutes)
      .option('--init <file>', 'write the configuration for --folder and --out to a file, and do not train')
      .option('--resume', 'go on from the newest checkpoint')
      .option(
        '--measure-only',
        'measure the features of a locked image tower ("imageTower" of kind "features"), and do not train',
      )
      .option('--threads <n>', 'threads of the network (default: all processors)', wholeNumber('--threads'))
      .option('--json', 'what happens, one JSON object a line')
      .option('--quiet', 'no progress and no warnings'),
  )
    .addHelpText(
      'after',
      `
Examples:
  eidos train --folder photos/ --out my-model/     photos/CLASS/….jpg, or pictures with captions beside them
  eidos train --folder photos.csv --out my-model/  a table with the columns "file" and "caption" or "label"
  eidos classify new.jpg --labels "a,b" --model my-model/
  eidos train --folder photos/ --out my-model/ --init train.json && eidos train train.json
  eidos train train.json --resume
  eidos train train.json --measure-only            features of all pictures, once; trainings find them afterwards

The folder of the model gets below "training" the configuration in full, metrics.jsonl, report.html and checkpoints.
Ctrl-C or SIGTERM let the step that runs end and save; a second one ends at once.

Exit status: 0, 2 for wrong usage, configuration or data and for a training that failed (its newest checkpoint stays),
130 and 143 when Ctrl-C or SIGTERM has stopped it, after it has saved if it had begun.`,
    )
    .action(run);
}

/** Exit statuses of a training that a signal has stopped: 128 and the signal's number. */
const stopStatus = { SIGINT: 130, SIGTERM: 143 } as const;
type StopSignal = keyof typeof stopStatus;

async function run(path: string | undefined, options: Options): Promise<void> {
  const config = configOf(path, options);
  const [library, { closingWords, measuringWords, trainingDisplay }] = await Promise.all([
    import('../../train/index.ts'),
    import('../training-display.ts'),
  ]);
  const { train, measureFeatures, folderConfig, savedConfig } = library;
  const source = typeof config === 'string' ? await savedConfig(config, options) : folderConfig(config);
  if (options.init !== undefined) return writeConfig(options.init, source);

  const display = await trainingDisplay(options);
  const controller = new AbortController();
  let signal: StopSignal | undefined;
  const stop = (name: StopSignal): void => {
    if (signal !== undefined) process.exit(stopStatus[name]);
    signal = name;
    display.note('Stopping as soon as what is under way can be left; once more ends at once.');
    controller.abort();
  };
  process.on('SIGINT', stop).on('SIGTERM', stop);
  try {
    const shared = {
      signal: controller.signal,
      ...(options.threads === undefined ? {} : { threads: options.threads }),
      onEvent: (event: TrainingEvent) => (options.json ? printLine(event) : display.show(event)),
    };
    if (options.measureOnly) {
      const measured = await measureFeatures(source, shared);
      display.stop();
      if (options.json) printLine({ kind: 'result', ...measured });
      else process.stdout.write(`${measuringWords(measured)}\n`);
      return;
    }
    const result = await train(source, { resume: options.resume ?? false, ...shared });
    display.stop();
    if (options.json) printLine({ kind: 'result', ...result });
    else process.stdout.write(`${closingWords(result)}\n`);
    if (signal !== undefined && result.ended === 'stopped') process.exitCode = stopStatus[signal];
  } catch (error) {
    if (signal === undefined || !(error instanceof EidosError && error.code === 'aborted')) throw error;
    if (options.json) printLine({ error: { code: error.code, message: error.message } });
    display.note(
      options.measureOnly
        ? 'Stopped: what has been measured is kept, and the same command goes on.'
        : 'Stopped while preparing: nothing has changed.',
    );
    process.exitCode = stopStatus[signal];
  } finally {
    display.stop();
    process.off('SIGINT', stop).off('SIGTERM', stop);
  }
}

interface FolderOptions {
  folder: string;
  output: string;
  model?: string;
  steps?: number;
  minutes?: number;
}

/** A configuration's path, or what is asked for in its place. */
function configOf(path: string | undefined, options: Options): string | FolderOptions {
  const { folder, out, model, steps, minutes, init, resume, threads, measureOnly } = options;
  if (path !== undefined) {
    const alien = Object.entries({ folder, out, model, steps, minutes }).find(
      ([, value]) => value !== undefined,
    );
    if (alien === undefined) return path;
    throw new EidosError(
      'invalid_option',
      `--${alien[0]} belongs to a training without a configuration: write it into ${path}, or leave that out.`,
    );
  }
  if (folder === undefined || out === undefined) {
    throw new EidosError(
      'invalid_option',
      'Nothing to train: name a configuration, or give --folder with pictures and --out for the model.',
    );
  }
  if (steps !== undefined && minutes !== undefined) {
    throw new EidosError('invalid_option', '--steps and --minutes exclude each other: give one of them.');
  }
  if (measureOnly) {
    throw new EidosError(
      'invalid_option',
      '--measure-only wants a configuration with an "imageTower" of kind "features": --init writes one to begin with.',
    );
  }
  if (init !== undefined && (resume || threads !== undefined)) {
    throw new EidosError(
      'invalid_option',
      `--init writes a configuration and does not train: give --${resume ? 'resume' : 'threads'} to the training itself.`,
    );
  }
  // A configuration's paths begin at its own folder.
  const place = (name: string): string =>
    init === undefined ? name : relative(dirname(resolve(init)), resolve(name));
  return {
    folder: place(folder),
    output: place(out),
    ...(model === undefined ? {} : { model: existsSync(model) ? place(model) : model }),
    ...(steps === undefined ? {} : { steps }),
    ...(minutes === undefined ? {} : { minutes }),
  };
}

async function writeConfig(path: string, config: string | TrainingConfigInput): Promise<void> {
  if (typeof config === 'string') {
    throw new EidosError(
      'invalid_option',
      '--init writes what --folder and --out ask for: leave out the configuration.',
    );
  }
  try {
    await writeFile(path, `${JSON.stringify(config, undefined, 2)}\n`, { flag: 'wx' });
  } catch (cause) {
    const exists = (cause as NodeJS.ErrnoException).code === 'EEXIST';
    throw new EidosError(
      'write_failed',
      `--init ${path} cannot be written: ${exists ? 'there is such a file already' : (cause as Error).message}.`,
      { cause },
    );
  }
}

function printLine(value: object): void {
  process.stdout.write(`${JSON.stringify(value)}\n`);
}

function minutes(text: string): number {
  const number = Number(text);
  if (!Number.isFinite(number) || number <= 0) {
    throw new EidosError('invalid_option', `--minutes is "${text}", but must be a number above 0.`);
  }
  return number;
}
