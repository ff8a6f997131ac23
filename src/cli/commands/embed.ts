/** `eidos embed`: vectors of pictures and sentences, for tools of one's own. */
import { Command } from 'commander';
import type { Clip } from '../../clip/clip.ts';
import { EidosError } from '../../errors.ts';
import { type EmbeddedRow, jsonLine, outputFormat, writeEmbeddings } from '../embedding-files.ts';
import { describeError, failureLine, someFailed } from '../failure.ts';
import { expandImages } from '../images.ts';
import { addModelOptions, collect, type ModelOptions, openModel, warn } from '../model-options.ts';

interface Options extends ModelOptions {
  text?: string[];
  out?: string;
  normalize: boolean;
}

export function embedCommand(): Command {
  return addModelOptions(
    new Command('embed')
      .description('turn pictures and sentences into vectors')
      .argument('[images...]', 'pictures, folders or patterns')
      .option('-t, --text <sentence>', 'a sentence, as often as needed', collect)
      .option(
        '-o, --out <file>',
        'a .safetensors, .npy or .jsonl file (default: JSON lines on standard output)',
      )
      .option('--no-normalize', 'vectors as the model gives them, not of unit length'),
  )
    .addHelpText(
      'after',
      `
A .safetensors file holds "images" and "texts", each [n, embedding size], and their names in its metadata; a .npy
file holds one array, pictures first. The file is written whole at the end, or, where every picture failed, not at all.
Exit status: 0, 1 when a picture could not be found or
read, 2 for wrong usage and where the model cannot be opened.`,
    )
    .action(run);
}

async function run(patterns: string[], options: Options): Promise<void> {
  const texts = options.text ?? [];
  if (patterns.length === 0 && texts.length === 0) {
    throw new EidosError('invalid_option', 'Nothing to embed: name pictures, or sentences with --text.');
  }
  const format = options.out === undefined ? undefined : outputFormat(options.out);
  const [{ paths, missing }, clip] = await Promise.all([
    expandImages(patterns, options),
    openModel(options, { load: 'fast-start' }),
  ]);
  const kept: EmbeddedRow[] = [];
  const handle = (row: EmbeddedRow): void => {
    if (format === undefined) process.stdout.write(jsonLine(row, clip.config.model));
    else kept.push(row);
  };
  try {
    for (const { pattern, error } of missing) printError(pattern, error, options);
    for await (const { embeddings, items } of clip.embedImageStream(paths, {
      normalize: options.normalize,
    })) {
      for (const item of items) {
        if ('error' in item) printError(item.label, item.error, options);
        else handle({ kind: 'image', name: item.label, embedding: row(embeddings.data, item.row, clip) });
      }
    }
    if (texts.length > 0) {
      const { data } = await clip.embedTexts(texts, {
        normalize: options.normalize,
        onWarning: warn(options),
      });
      for (const [i, name] of texts.entries()) {
        handle({ kind: 'text', name, embedding: row(data, i, clip) });
      }
    }
    if (options.out !== undefined) {
      if (kept.length > 0) await writeEmbeddings(options.out, kept, clip.embeddingSize, clip.config.model);
      else warn(options)(`${options.out} is not written: there is no vector to put into it.`);
    }
  } finally {
    await clip.close();
  }
}

function row(data: Float32Array, index: number, { embeddingSize }: Clip): Float32Array {
  return data.slice(index * embeddingSize, (index + 1) * embeddingSize);
}

function printError(image: string, error: EidosError, { json }: Options): void {
  process.exitCode = someFailed;
  if (json) process.stdout.write(`${JSON.stringify({ image, error: describeError(error) })}\n`);
  else process.stderr.write(failureLine(image, error));
}
