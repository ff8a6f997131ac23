/** `eidos keywords`: the words of a vocabulary that fit a picture. */
import { Command, Option } from 'commander';
import type { EidosError } from '../../errors.ts';
import type { KeywordOptions } from '../../tasks/search/types.ts';
import { barRows } from '../bars.ts';
import { describeError, failureLine, someFailed } from '../failure.ts';
import { expandImages } from '../images.ts';
import { addModelOptions, type ModelOptions, openModel, wholeNumber } from '../model-options.ts';
import { readWordList } from '../word-lists.ts';

interface Options extends ModelOptions {
  vocabulary?: string;
  language: NonNullable<KeywordOptions['language']>;
  topK?: number;
}

export function keywordsCommand(): Command {
  return addModelOptions(
    new Command('keywords')
      .description('find the words that fit each picture')
      .argument('<images...>', 'pictures, folders or patterns')
      .option('--vocabulary <file>', 'a file with a word a line (default: some hundred everyday words)')
      .addOption(
        new Option('--language <code>', 'of the words that come with eidos')
          .choices(['en', 'de'])
          .default('en'),
      )
      .option('-k, --top-k <k>', 'words for each picture (default: 10)', wholeNumber('--top-k')),
  )
    .addHelpText(
      'after',
      `
--json gives a line a picture: {"image", "model", "keywords": [{"keyword", "similarity", "probability"}]}. Probabilities
are among the words of the vocabulary and not calibrated.

Examples:
  eidos keywords holiday/ --top-k 5
  eidos keywords piano.jpg --vocabulary instruments.txt --json

Exit status: 0, 1 when a picture could not be found or read (the others are answered), 2 for wrong usage and where the
model cannot be opened.`,
    )
    .action(run);
}

async function run(patterns: string[], options: Options): Promise<void> {
  const settings: KeywordOptions = {
    language: options.language,
    topK: options.topK ?? 10,
    ...(options.vocabulary === undefined
      ? {}
      : { vocabulary: await readWordList('--vocabulary', options.vocabulary) }),
  };
  const [{ findKeywords }, { paths, missing }, clip] = await Promise.all([
    import('../../tasks/search/keywords.ts'),
    expandImages(patterns),
    openModel(options, { load: 'fast-start' }),
  ]);
  const fail = (image: string, error: EidosError): void => {
    process.exitCode = someFailed;
    if (options.json) process.stdout.write(`${JSON.stringify({ image, error: describeError(error) })}\n`);
    else process.stderr.write(failureLine(image, error));
  };
  try {
    for (const { pattern, error } of missing) fail(pattern, error);
    for await (const { embeddings, items } of clip.embedImageStream(paths)) {
      for (const item of items) {
        if ('error' in item) {
          fail(item.label, item.error);
          continue;
        }
        const size = clip.embeddingSize;
        const data = embeddings.data.slice(item.row * size, (item.row + 1) * size);
        const keywords = await findKeywords(clip, { data, shape: [1, size] }, settings);
        if (options.json) {
          const line = { image: item.label, model: clip.config.model, keywords };
          process.stdout.write(`${JSON.stringify(line)}\n`);
        } else {
          const rows = keywords.map(({ keyword, probability }) => ({ label: keyword, probability }));
          process.stdout.write(`${item.label}\n${barRows(rows)}\n\n`);
        }
      }
    }
  } finally {
    await clip.close();
  }
}
