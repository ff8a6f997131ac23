/** `eidos search`: the pictures of an index that fit words or a picture. */
import { createInterface } from 'node:readline/promises';
import { Command, Option } from 'commander';
import { EidosError } from '../../errors.ts';
import type {
  Filters,
  Orientation,
  QueryPart,
  SearchAnswer,
  SearchHit,
  SearchIndex,
  SearchOptions,
} from '../../tasks/search/types.ts';
import { addIndexOption, type IndexOptions, indexPath, openNamedIndex } from '../index-options.ts';
import { addModelOptions, collect, type ModelOptions, warn, wholeNumber } from '../model-options.ts';
import { openForPerson } from '../open-for-person.ts';
import type { OutputOptions } from '../search-output.ts';
import { previewProtocols } from '../terminal/protocols.ts';
import { takesWordsWithSigns } from '../words-with-signs.ts';

interface Options extends ModelOptions, IndexOptions, Omit<OutputOptions, 'json'> {
  image?: string[];
  similar?: string;
  duplicates?: boolean;
  topK?: number;
  offset?: number;
  cutOff?: number;
  all?: boolean;
  hybrid?: boolean;
  collapse?: boolean;
  open?: boolean;
  path?: string;
  after?: string;
  before?: string;
  orientation?: Orientation;
  camera?: string;
  minWidth?: number;
  maxWidth?: number;
  minHeight?: number;
  maxHeight?: number;
  minBytes?: number;
  maxBytes?: number;
}

export function searchCommand(): Command {
  const command = addIndexOption(
    new Command('search')
      .description('find pictures of an index by words or by a picture')
      .argument('[query...]', 'words, or "+beach -people +2:golden retriever" in quotes'),
  )
    .option(
      '--image <file>',
      'pictures like this one; with words: both together; as often as needed',
      collect,
    )
    .option('--similar <id>', 'pictures like one of the index')
    .option(
      '--duplicates',
      'copies of one picture, in groups: same bytes, or another size, compression or format',
    )
    .option('-k, --top-k <k>', 'hits shown (default: 10)', wholeNumber('--top-k'))
    .option('--offset <n>', 'hits passed over: the pages before', wholeNumber('--offset'))
    .option(
      '--cut-off <p>',
      'the smallest probability of a hit (default: as the model’s calibration advises)',
      share,
    )
    .option('--all', 'the nearest pictures, however little they fit')
    .option('--hybrid', 'let file names and captions count, too')
    .option('--collapse', 'copies of one picture as one hit (default, but for --json)')
    .option('--no-collapse', 'each copy by itself')
    .option('--paths', 'paths alone, one a line, for other commands')
    .option('-0, --null', 'the same with a zero byte behind each path, for xargs -0')
    .option('--open', 'open the best hit as a click would')
    .addOption(
      new Option('--preview <protocol>', 'show the pictures, too (default: where the terminal can)').choices(
        previewProtocols,
      ),
    )
    .option('--no-preview', 'names alone')
    .option('--path <pattern>', 'only in this folder, or paths of this pattern')
    .option('--after <date>', 'only taken at or after: 2024, 2024-05, 2024-05-31')
    .option('--before <date>', 'only taken at or before')
    .addOption(
      new Option('--orientation <form>', 'only pictures of this form').choices([
        'landscape',
        'portrait',
        'square',
      ]),
    )
    .option('--camera <name>', 'only by this camera: a part of its make and model');
  for (const side of ['width', 'height', 'bytes'] as const) {
    const unit = side === 'bytes' ? 'of the file' : 'in pixels';
    command.option(`--min-${side} <n>`, `smallest ${side} ${unit}`, wholeNumber(`--min-${side}`));
    command.option(`--max-${side} <n>`, `largest ${side} ${unit}`, wholeNumber(`--max-${side}`));
  }
  return takesWordsWithSigns(addModelOptions(command))
    .addHelpText(
      'after',
      `
A query is one sentence, or parts with signs: + wants, - wants not, and a number weighs, "+dog -leash +0.5:grass".
Between quotes of any kind nothing is special, and any dash is a minus.
A probability says how often such a hit fits; when none reaches the cut-off, nothing here fits, and nothing is shown.

Copies of one picture are one hit, but for --json without --collapse. Names are links where a terminal has them, and pictures
are shown in Kitty's, iTerm's and sixel terminals.

--json gives a line a hit, best first: {"image", "similarity", "probability", "id", "width", "height", …}; with
--duplicates a line a group: {"similarity", "pictures"}.

Examples:
  eidos search a dog in the snow
  eidos search "+beach -people" --after 2023 --orientation landscape
  eidos search --image pool.jpg at night --top-k 3 --json
  eidos search sunset --top-k 20 --null | xargs -0 cp -t album/

Exit status: 0 (also where nothing fits), 2 for wrong usage and where there is no index.`,
    )
    .action(run);
}

async function run(words: string[], options: Options): Promise<void> {
  const parts = await queryParts(words, options);
  const index = await openOrOffer(options);
  if (index === undefined) return;
  try {
    if (options.duplicates) return await printDuplicates(index, options);
    const settings = settingsOf(options);
    const answer =
      options.similar === undefined
        ? await index.search({ parts }, settings)
        : await index.similar(options.similar, settings);
    const { printHits } = await import('../search-output.ts');
    await printHits(index, answer, options);
    if (answer.hits.length === 0) warn(options)(whyNone(answer, options));
    if (options.open) await openBest(index, answer.hits, options);
  } finally {
    await index.close();
  }
}

async function queryParts(words: readonly string[], options: Options): Promise<QueryPart[]> {
  const { parseQuery } = await import('../../tasks/search/query/parse.ts');
  const text = words.join(' ').trim();
  const images = options.image ?? [];
  const other = Number(options.similar !== undefined) + Number(options.duplicates ?? false);
  if (other > 1 || (other === 1 && (text !== '' || images.length > 0))) {
    throw new EidosError(
      'invalid_option',
      '--similar and --duplicates are questions of their own: leave out words, --image and the other one.',
    );
  }
  if (options.duplicates && options.open) {
    throw new EidosError(
      'invalid_option',
      '--open is for a best hit, which --duplicates has not: leave it out.',
    );
  }
  if (options.json && (options.paths || options.null)) {
    throw new EidosError('invalid_option', '--json and --paths exclude each other: give one of them.');
  }
  if (other === 0 && text === '' && images.length === 0) {
    throw new EidosError('invalid_option', 'Nothing to search for: give words, or a picture with --image.');
  }
  const parsed = text === '' ? [] : (parseQuery(text).parts ?? []);
  return [...parsed, ...images.map((image) => ({ image }))];
}

/** Opens the index; where there is none and a person sits before it, one can be made at once. */
async function openOrOffer(options: Options): Promise<SearchIndex | undefined> {
  try {
    return await openNamedIndex(options);
  } catch (error) {
    const canAsk = process.stdin.isTTY && process.stderr.isTTY && !options.json && !options.quiet;
    if (
      !(error instanceof EidosError && error.code === 'not_found' && canAsk && options.index === undefined)
    ) {
      throw error;
    }
  }
  const question = createInterface({ input: process.stdin, output: process.stderr });
  const reply = await question.question(
    `There is no index here. Make one of the pictures in ${process.cwd()}? [Y/n] `,
  );
  question.close();
  if (!/^\s*(y|yes|j|ja)?\s*$/i.test(reply)) return undefined;
  const index = await openNamedIndex(options, { create: true });
  const { pictures, unreadable } = await index.sync([process.cwd()]);
  warn(options)(
    `${pictures} pictures in ${indexPath(options)}${unreadable.length > 0 ? `, ${unreadable.length} unreadable` : ''}`,
  );
  return index;
}

function settingsOf(options: Options): SearchOptions {
  const { topK, offset, cutOff, all, hybrid, collapse = !options.json } = options;
  if (all && cutOff !== undefined) {
    throw new EidosError('invalid_option', '--all and --cut-off exclude each other: give one of them.');
  }
  return {
    filters: filtersOf(options),
    ...(topK === undefined ? {} : { topK }),
    ...(offset === undefined ? {} : { offset }),
    ...(all ? { cutOff: false } : cutOff === undefined ? {} : { cutOff }),
    ...(hybrid ? { hybrid } : {}),
    collapse,
  };
}

function filtersOf(options: Options): Filters {
  const { path, after, before, orientation, camera } = options;
  const { minWidth, maxWidth, minHeight, maxHeight, minBytes, maxBytes } = options;
  return {
    ...{ path, after, before, orientation, camera },
    ...{ minWidth, maxWidth, minHeight, maxHeight, minBytes, maxBytes },
  };
}

/** Why there are no hits to be shown. */
function whyNone({ total, nothingFits, cutOff }: Omit<SearchAnswer, 'hits'>, { similar }: Options): string {
  if (total > 0) return total === 1 ? 'There is only one hit.' : `There are only ${total} hits.`;
  const share = `${(100 * cutOff).toFixed(1)} %`;
  // From 0 on everything fits, as with --all: then there is nothing.
  if (nothingFits && cutOff === 0) {
    return similar === undefined
      ? 'The index holds no pictures: `eidos index FOLDER` takes some in.'
      : 'The index holds no other picture.';
  }
  if (nothingFits) {
    return `Nothing here fits: no picture reaches ${share}. --all shows the nearest ones anyway.`;
  }
  if (cutOff === 0) return 'No picture passes the filters.';
  return `Nothing that passes the filters fits (from ${share} on). --all shows the nearest ones anyway.`;
}

async function printDuplicates(index: SearchIndex, options: Options): Promise<void> {
  const groups = await index.duplicates({ filters: filtersOf(options) });
  const { printGroups } = await import('../search-output.ts');
  await printGroups(index, groups, options);
  if (groups.length === 0) warn(options)('No picture is there twice.');
}

/** Opens the best hit as a click would. */
async function openBest(index: SearchIndex, [best]: readonly SearchHit[], options: Options): Promise<void> {
  if (best === undefined) return;
  const isText = Buffer.compare(await index.pathBytes(best.id), Buffer.from(best.image)) === 0;
  if (isText) return openForPerson(best.image).catch((error: Error) => warn(options)(error.message));
  warn(options)(
    `${best.image} has a name that is no UTF-8, which other programs cannot be told: open it yourself.`,
  );
}

function share(text: string): number {
  const number = Number(text);
  if (text.trim() !== '' && number >= 0 && number <= 1) return number;
  throw new EidosError('invalid_option', `--cut-off is "${text}", but is a probability from 0 to 1.`);
}
