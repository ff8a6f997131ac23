/** `eidos export`: a model as ONNX files for other tools. */
import { Command, Option } from 'commander';
import type { ExportType } from '../../tasks/export/export.ts';
import { acceptModelOptions, warn, withHub } from '../model-options.ts';

interface Options {
  model?: string;
  onnx: string;
  dtype: ExportType;
  tokenizer?: string;
  force?: boolean;
  offline?: boolean;
  json?: boolean;
  quiet?: boolean;
}

export function exportCommand(): Command {
  return acceptModelOptions(
    new Command('export')
      .description('write a model as ONNX files that run in transformers.js and other tools')
      .argument(
        '[model]',
        'a folder, a weight file, or a hub id like openai/clip-vit-base-patch32 (default: the bundled model)',
      )
      .requiredOption('--onnx <folder>', 'where the files are written')
      .addOption(
        new Option('--dtype <type>', 'number type of weights and computation')
          .choices(['fp32', 'fp16', 'int8'])
          .default('fp32'),
      )
      .option('--tokenizer <path>', 'a tokenizer for weights that come without one')
      .option('--force', 'replace what the folder holds')
      .option('--offline', 'never use the network')
      .option('--json', 'the list of files as JSON')
      .option('--quiet', 'no list and no warnings')
      .addHelpText(
        'after',
        `
The folder holds onnx/vision_model.onnx, onnx/text_model.onnx and onnx/model.onnx with their weights, and the
configurations and the tokenizer beside them. In transformers.js, put it below env.localModelPath:
  CLIPVisionModelWithProjection.from_pretrained('folder', { dtype: 'fp32' })

Exit status: 0, 2 when nothing was written.`,
      )
      .action(run),
  );
}

async function run(model: string | undefined, options: Options): Promise<void> {
  const { exportOnnx } = await import('../../tasks/export/export.ts');
  const { onnx, dtype, tokenizer, force = false } = options;
  const result = await withHub(options, (hub) =>
    exportOnnx(model ?? options.model, onnx, {
      ...hub,
      dtype,
      force,
      onWarning: warn(options),
      ...(tokenizer === undefined ? {} : { tokenizer }),
    }),
  );
  if (options.json) process.stdout.write(`${JSON.stringify(result)}\n`);
  else if (!options.quiet) {
    const width = Math.max(...result.files.map(({ name }) => name.length));
    const lines = result.files.map(({ name, bytes }) => `${name.padEnd(width)}  ${size(bytes)}`);
    process.stdout.write(`${result.model} → ${result.folder}\n${lines.join('\n')}\n`);
    if (result.tokens !== 'any') {
      process.stdout.write(
        `Sentences must have ${result.tokens} tokens: tokenize with { padding: 'max_length' }.\n`,
      );
    }
  }
}

function size(bytes: number): string {
  return bytes < 1e6 ? `${(bytes / 1e3).toFixed(1)} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
}
