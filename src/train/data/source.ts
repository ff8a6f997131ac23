/** Sources: pictures with what is known of them in words, found but not read. */
import { basename } from 'node:path';
import { EidosError } from '../../errors.ts';
import type { Concept, Description, Words } from './captions.ts';
import type { DataForm, SourceConfig } from './config.ts';
import { captionFiles } from './forms/caption-files.ts';
import { classFolders } from './forms/class-folders.ts';
import type { BrokenSample, FormReader, FoundPicture } from './forms/form.ts';
import { indexFile } from './forms/index-file.ts';
import { table } from './forms/table.ts';
import { tarShards } from './forms/tar-shards.ts';
import { tileSheets } from './forms/tile-sheets.ts';
import { conceptOf, readKinds, readLooks, readNames } from './names.ts';
import type { PicturePlace } from './places.ts';
import { expandSourcePaths } from './source-paths.ts';

/** Every form; they are tried in this order, since shards lie beside an index and class folders may hold text files. */
const forms: { readonly [Form in DataForm]: FormReader } = {
  index_file: indexFile,
  tile_sheets: tileSheets,
  table,
  tar_shards: tarShards,
  caption_files: captionFiles,
  class_folders: classFolders,
};

export interface SourcePicture {
  /** By which messages call it. */
  name: string;
  place: PicturePlace;
  /** Where the picture itself lies, if `place` is a packed copy of it. */
  origin?: PicturePlace;
  description: Description;
  /** Its class, whether captions name it or not. */
  concept?: Concept;
  /** Its line in the source's index, counted over all parts. */
  row: number;
}

export interface Source {
  name: string;
  form: DataForm;
  weight: number;
  pictures: SourcePicture[];
  /** What was found but cannot be trained on. */
  broken: BrokenSample[];
}

/**
 * Finds a source's pictures and what they are called.
 * @param languages those whose words are wanted
 * @throws EidosError `not_found`, `invalid_option`: what is missing, of no known form, malformed, or empty
 */
export async function openSource(config: SourceConfig, languages: readonly string[]): Promise<Source> {
  const paths = await expandSourcePaths([config.path].flat());
  const name = config.name ?? nameOf([config.path].flat()[0]!);
  const form = config.form ?? (await recogniseForm(paths));
  const { split, columns } = config;
  const { pictures: found, broken } = await forms[form].find({ paths, split, columns, languages });
  const describe = await createDescriber(config, name, languages);
  const pictures: SourcePicture[] = [];
  for (const picture of found) {
    const { description, concept } = describe(picture);
    const { name, place, row } = picture;
    if (Object.keys(description.captions).length === 0 && description.concepts.length === 0) {
      const spoken = `${languages.join(' or ')} (data.captions.languages)`;
      broken.push({ name, reason: `it has neither a class nor a caption in ${spoken}` });
    } else pictures.push({ name, place, description, row, ...(concept === undefined ? {} : { concept }) });
  }
  if (pictures.length > 0) return { name, form, weight: config.weight, pictures, broken };
  const [first] = broken;
  throw new EidosError(
    'invalid_option',
    `The source "${name}" (${paths[0]}) has no picture to train on${first === undefined ? '.' : `, only broken ones such as ${first.name}: ${first.reason}.`}`,
  );
}

async function recogniseForm(paths: readonly string[]): Promise<DataForm> {
  for (const [form, reader] of Object.entries(forms) as [DataForm, FormReader][]) {
    if (await reader.recognise(paths[0]!)) return form;
  }
  const known = Object.values(forms).map(({ description }) => description);
  throw new EidosError(
    'invalid_option',
    `${paths[0]} is empty or no data that eidos knows: it needs ${known.join('; or ')}.`,
  );
}

type Described = { description: Description; concept?: Concept };

/** A function from what a source says of a picture to the words for it. */
async function createDescriber(
  { names: namesConfig, descriptions, kinds: kindsConfig, words }: SourceConfig,
  source: string,
  languages: readonly string[],
): Promise<(picture: FoundPicture) => Described> {
  const names = namesConfig === undefined ? undefined : await readNames(namesConfig, languages);
  const looks = descriptions === undefined ? undefined : await readLooks(descriptions);
  const kindsOf = await readKinds(kindsConfig, languages);
  const classes = new Map<string, Described & { concept: Concept }>();

  const ofClass = (label: string, labelWords: string | undefined): Described & { concept: Concept } => {
    const known = classes.get(label);
    if (known !== undefined) return known;
    const name = names?.get(label);
    if (names !== undefined && (name === undefined || Object.keys(name.words).length === 0)) {
      const file = typeof namesConfig === 'object' ? namesConfig.file : namesConfig;
      throw new EidosError('not_found', `${file} has no name for the class "${label}" of "${source}".`);
    }
    const concept = conceptOf(name?.words ?? { en: [labelWords ?? label.replaceAll('_', ' ').trim()] });
    const wider = kindsOf(label, name).filter(({ key }) => key !== concept.key);
    const { features = [], sentences = [] } = looks?.get(label) ?? {};
    const described = {
      concept,
      description: { captions: {}, concepts: [concept, ...wider], features, sentences },
    };
    classes.set(label, described);
    return described;
  };

  return ({ label, labelWords, captions: own }) => {
    const captions: Words = words === 'classes' ? {} : own;
    const hasCaptions = Object.keys(captions).length > 0;
    const described = label === undefined ? undefined : ofClass(label, labelWords);
    if (!hasCaptions && words !== 'captions' && described !== undefined) return described;
    const spoken = words === 'both' ? described?.description : undefined;
    return {
      description: { concepts: [], features: [], sentences: [], ...spoken, captions },
      ...(described === undefined ? {} : { concept: described.concept }),
    };
  };
}

/** The last part of a path, in letters that a file name may have. */
function nameOf(path: string): string {
  return basename(path)
    .replace(/\.(tar|csv|tsv|jsonl|gz)$/g, '')
    .replace(/[^\w.-]+/g, '-');
}
