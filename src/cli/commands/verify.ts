/** `eidos verify`: whether a model computes here what it should. */
import { Command, Option } from 'commander';
import type { Device, NumberType } from '../../engine/devices.ts';
import { EidosError } from '../../errors.ts';
import type { Verification } from '../../tasks/verify/verify.ts';
import { someFailed } from '../failure.ts';
import { acceptModelOptions, deviceNames, dtypeNames, localModel, wholeNumber } from '../model-options.ts';

interface Options {
  model?: string;
  device?: Device;
  dtype?: NumberType;
  threads?: number;
  threshold?: number;
  offline?: boolean;
  json?: boolean;
  quiet?: boolean;
}

export function verifyCommand(): Command {
  return acceptModelOptions(
    new Command('verify')
      .description('recompute reference embeddings on every device and in every number type of this machine')
      .option('-m, --model <model>', 'a folder, a weight file or a hub id (default: the bundled model)')
      .addOption(new Option('--device <device>', 'only this one').choices(deviceNames))
      .addOption(new Option('--dtype <type>', 'only this one').choices(dtypeNames))
      .option('--threads <n>', 'threads of one run (default: all processors)', wholeNumber('--threads'))
      .option(
        '--threshold <cosine>',
        'smallest cosine that passes (default: 0.99999 fp32, 0.999 fp16, 0.99 int8)',
        cosine,
      )
      .option('--offline', 'never use the network')
      .option('--json', 'one JSON object a line')
      .option('--quiet', 'only the exit status')
      .addHelpText(
        'after',
        '\nExit status: 0, 1 when a cosine is below its threshold, 2 when nothing could be verified.',
      )
      .action(run),
  );
}

async function run(options: Options): Promise<void> {
  const { verifyModel } = await import('../../tasks/verify/verify.ts');
  const { model, device, dtype, threads, threshold, offline } = options;
  const verifications = verifyModel(await localModel(model, options), {
    ...(device === undefined ? {} : { device }),
    ...(dtype === undefined ? {} : { dtype }),
    ...(threads === undefined ? {} : { threads }),
    ...(threshold === undefined ? {} : { thresholds: { fp32: threshold, fp16: threshold, int8: threshold } }),
    ...(offline ? { offline } : {}),
  });
  for await (const verification of verifications) {
    if (!verification.passed) process.exitCode = someFailed;
    if (options.quiet) continue;
    process.stdout.write(options.json ? `${JSON.stringify(verification)}\n` : `${describe(verification)}\n`);
  }
}

function describe({
  device,
  dtype,
  reference,
  imageCosine,
  textCosine,
  threshold,
  passed,
}: Verification): string {
  const place = `${device} ${dtype}`.padEnd(12);
  const numbers = `pictures ${imageCosine.toFixed(7)}, sentences ${textCosine.toFixed(7)}`;
  return `${passed ? '✓' : '✗'} ${place} ${numbers} (at least ${threshold}; reference ${reference})`;
}

function cosine(text: string): number {
  const number = Number(text);
  if (text.trim() === '' || !(number >= -1 && number <= 1)) {
    throw new EidosError('invalid_option', `--threshold is "${text}", but is a cosine between -1 and 1.`);
  }
  return number;
}
