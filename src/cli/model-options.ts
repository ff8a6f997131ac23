/** The options that every command with a model takes, and the model that they ask for. */
import { Command, Option } from 'commander';
import type { Clip } from '../clip/clip.ts';
import type { LoadOptions } from '../clip/load.ts';
import type { Device, NumberType } from '../engine/devices.ts';
import { EidosError } from '../errors.ts';

export interface ModelOptions {
  model?: string;
  device: NonNullable<LoadOptions['device']>;
  dtype: NonNullable<LoadOptions['dtype']>;
  threads?: number;
  load?: NonNullable<LoadOptions['load']>;
  tokenizer?: string;
  maxPixels?: number;
  offline?: boolean;
  json?: boolean;
  quiet?: boolean;
}

/** What --device and --dtype can be; a device or type that is forgotten here does not compile. */
export const deviceNames = namesOf({
  cpu: true,
  cuda: true,
  coreml: true,
  dml: true,
  webgpu: true,
} satisfies Record<Device, true>);
export const dtypeNames = namesOf({ fp32: true, fp16: true, int8: true } satisfies Record<NumberType, true>);

/** The names of a table that a type makes total. */
export function namesOf<K extends string>(row: Readonly<Record<K, true>>): K[] {
  return Object.keys(row) as K[];
}

/** Adds --model --device --dtype --threads --load --tokenizer --max-pixels --offline --json --quiet. */
export function addModelOptions(command: Command): Command {
  return command
    .option(
      '-m, --model <model>',
      'a folder, a weight file, or a hub id like openai/clip-vit-base-patch32 (default: the bundled model)',
    )
    .addOption(
      new Option('--device <device>', 'where the model runs')
        .choices([...deviceNames, 'auto'])
        .default('cpu'),
    )
    .addOption(
      new Option('--dtype <type>', 'number type of the computation').choices(dtypeNames).default('fp32'),
    )
    .option('--threads <n>', 'threads of one run (default: all processors)', wholeNumber('--threads'))
    .addOption(
      new Option('--load <mode>', 'how weights come into memory').choices([
        'fast-start',
        'fast-run',
        'cached',
      ]),
    )
    .option('--tokenizer <path>', 'a tokenizer for weights that come without one')
    .option(
      '--max-pixels <n>',
      'the largest picture that is read (default: 250 megapixels)',
      wholeNumber('--max-pixels'),
    )
    .option('--offline', 'never use the network')
    .option('--json', 'one JSON object a line')
    .option('--quiet', 'no progress and no warnings');
}

/** Accepts the common options on a command that they do not change, so that scripts may give them to every command. */
export function acceptModelOptions(command: Command): Command {
  const known = new Set(command.options.map(({ long }) => long));
  const common = addModelOptions(new Command()).options.filter(({ long }) => !known.has(long));
  for (const option of common) command.addOption(option.hideHelp());
  return command;
}

/** Opens the model; downloads show a bar where a person is looking. */
export async function openModel(
  options: ModelOptions,
  defaults: Pick<LoadOptions, 'load'> = {},
): Promise<Clip> {
  const { loadClip } = await import('../clip/load.ts');
  const { model, device, dtype, threads, load = defaults.load, tokenizer, maxPixels } = options;
  const clip = await withHub(options, (hub) =>
    loadClip(model, {
      device,
      dtype,
      ...(threads === undefined ? {} : { threads }),
      ...(load === undefined ? {} : { load }),
      ...(tokenizer === undefined ? {} : { tokenizer }),
      ...(maxPixels === undefined ? {} : { maxPixels }),
      ...hub,
    }),
  );
  if (device === 'auto') warn(options)(`device: ${clip.config.device}`);
  return clip;
}

/** The path of a model that is read without being run; a hub id is brought into the cache first. */
export async function localModel(
  source: string | undefined,
  options: Pick<ModelOptions, 'offline' | 'quiet'>,
): Promise<string> {
  const { findModel } = await import('../clip/load.ts');
  return withHub(options, (hub) => findModel(source, hub));
}

/** Runs what may fetch from the hub, as the command line wants it. */
export async function withHub<T>(
  { offline, quiet }: Pick<ModelOptions, 'offline' | 'quiet'>,
  action: (hub: Pick<LoadOptions, 'offline' | 'onProgress'>) => Promise<T>,
): Promise<T> {
  const progress = quiet || !process.stderr.isTTY ? undefined : await downloadBars();
  try {
    return await action({
      ...(offline ? { offline } : {}),
      ...(progress === undefined ? {} : { onProgress: progress.update }),
    });
  } finally {
    progress?.stop();
  }
}

/** A warning on standard error, unless --quiet. */
export function warn(options: { quiet?: boolean }): (message: string) => void {
  return (message) => {
    if (!options.quiet) process.stderr.write(`${message}\n`);
  };
}

/** Gathers the values of an option that may be given several times. */
export function collect(value: string, before: string[] | undefined): string[] {
  return [...(before ?? []), value];
}

/** Reads an option that counts something. */
export function wholeNumber(option: string): (text: string) => number {
  return (text) => {
    const number = Number(text);
    if (!/^\d+$/.test(text) || number < 1) {
      throw new EidosError('invalid_option', `${option} is "${text}", but must be a whole number from 1.`);
    }
    return number;
  };
}

async function downloadBars(): Promise<{ update: NonNullable<LoadOptions['onProgress']>; stop: () => void }> {
  const { MultiBar, Presets } = await import('cli-progress');
  const bars = new MultiBar(
    { format: '{file} {bar} {percentage}% of {megabytes} MB', hideCursor: true, clearOnComplete: true },
    Presets.shades_classic,
  );
  const byFile = new Map<string, ReturnType<typeof bars.create>>();
  return {
    update({ file, loadedBytes, totalBytes }) {
      let bar = byFile.get(file);
      if (bar === undefined) {
        bar = bars.create(totalBytes, 0, { file, megabytes: (totalBytes / 1e6).toFixed(1) });
        byFile.set(file, bar);
      }
      bar.update(loadedBytes);
    },
    stop: () => bars.stop(),
  };
}
