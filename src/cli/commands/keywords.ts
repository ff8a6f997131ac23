/** `eidos keywords`: the words of a vocabulary that fit a picture. */
import { Command, Option } from 'commander';
import type { Clip } from '../../clip/clip.ts';
import type { KeywordOptions, PictureKeywords } from '../../tasks/keywords/index.ts';
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
  const [{ createKeywordFinder }, { paths, missing }, clip] = await Promise.all([
    import('../../tasks/keywords/index.ts'),
    expandImages(patterns, options),
    openModel(options, { load: 'fast-start' }),
  ]);
  try {
    for (const { pattern, error } of missing) print({ image: pattern, error }, clip, options);
    const finder = createKeywordFinder(clip, settings);
    for await (const answer of finder.find(paths)) print(answer, clip, options);
  } finally {
    await clip.close();
  }
}

function print(answer: PictureKeywords, { config }: Clip, { json }: Options): void {
  if ('error' in answer) process.exitCode = someFailed;
  if (json) {
    const line =
      'error' in answer
        ? { image: answer.image, error: describeError(answer.error) }
        : { image: answer.image, model: config.model, keywords: answer.keywords };
    process.stdout.write(`${JSON.stringify(line)}\n`);
  } else if ('error' in answer) process.stderr.write(failureLine(answer.image, answer.error));
  else {
    const rows = answer.keywords.map(({ keyword, probability }) => ({ label: keyword, probability }));
    process.stdout.write(`${answer.image}\n${barRows(rows)}\n\n`);
  }
}
