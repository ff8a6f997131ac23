/**
 * Which files of a tar shard are one sample. Webdataset's key ends at the first dot of a name; where the key up to the
 * last dot gives every picture its words, as in folders, that is the key (`cam.1.jpg` with `cam.1.txt`).
 */
import { isNamedLikePicture } from '../../../image/paths.ts';
import type { BrokenSample } from './form.ts';

/** A file of a shard, by its path inside. */
export interface ShardFile {
  name: string;
}

/** One sample's files: a picture with the texts about it by their extension. */
export interface ShardSample<File extends ShardFile> {
  key: string;
  picture: File | undefined;
  texts: ReadonlyMap<string, File>;
}

/** What is about a picture, after the sample's key: a kind of text, perhaps with its language before. */
const textExtension = /^(?:[a-z]{2,3}\.)?(?:txt|caption|json|cls)$/i;

/**
 * Sorts the files of a shard into samples, in the order in which they come. Hidden files, files of no kind that belongs
 * to a sample, and those without a key are left out. What would need a choice between two files is broken and names both.
 */
export function shardSamples<File extends ShardFile>(
  files: readonly File[],
): (ShardSample<File> | BrokenSample)[] {
  const groups = new Map<string, File[]>();
  for (const file of files.filter(({ name }) => isPartOfSample(name))) {
    const { key } = splitAtFirstDot(file.name);
    groups.set(key, [...(groups.get(key) ?? []), file]);
  }
  return [...groups].flatMap(([key, group]) => samplesOf(key, group));
}

/** A hidden file (`._a.jpg`), one in a hidden folder, or one that macOS packs beside (`__MACOSX/`) is nobody's sample. */
function isPartOfSample(path: string): boolean {
  if (path.split('/').some((step) => /^\.(?!\.?$)/.test(step) || step === '__MACOSX')) return false;
  return isNamedLikePicture(path) || /\.(txt|caption|json|cls)$/i.test(path);
}

function samplesOf<File extends ShardFile>(
  key: string,
  files: readonly File[],
): (ShardSample<File> | BrokenSample)[] {
  const pictures = files.filter(({ name }) => isNamedLikePicture(name));
  const texts = files.filter(({ name }) => !isNamedLikePicture(name));
  const owned = byLastDot(pictures, texts);
  const haveWords = [...owned.values()].every(
    (sample) => sample.pictures.length === 0 || sample.texts.length > 0,
  );
  // Words of the first dot's key belong to the whole group; without any, names up to the last dot are all there is.
  const isOfOneKey = texts.some(({ name }) => textExtension.test(splitAtFirstDot(name).extension));
  if (haveWords || !isOfOneKey) {
    return [...owned].map(([own, sample]) => oneSample(own, sample.pictures, sample.texts, files));
  }
  return [oneSample(key, pictures, texts, files)];
}

interface Parts<File> {
  pictures: File[];
  texts: File[];
}

/** The files by what stands before the last dot, and before a language where a picture is called so. */
function byLastDot<File extends ShardFile>(
  pictures: readonly File[],
  texts: readonly File[],
): Map<string, Parts<File>> {
  const samples = new Map<string, Parts<File>>();
  const sampleOf = (key: string): Parts<File> => {
    const sample = samples.get(key) ?? { pictures: [], texts: [] };
    samples.set(key, sample);
    return sample;
  };
  for (const picture of pictures) sampleOf(withoutExtension(picture.name)).pictures.push(picture);
  for (const text of texts) {
    const stem = withoutExtension(text.name);
    const isOfPicture = (samples.get(stem)?.pictures.length ?? 0) > 0;
    const short = /^(.*)\.[a-z]{2,3}$/i.exec(stem)?.[1];
    const isOfLanguage = !isOfPicture && short !== undefined && samples.has(short);
    sampleOf(isOfLanguage ? short : stem).texts.push(text);
  }
  return samples;
}

/** The sample of one key, or why it is none; `around` are the files whose names begin alike. */
function oneSample<File extends ShardFile>(
  key: string,
  pictures: readonly File[],
  texts: readonly File[],
  around: readonly File[],
): ShardSample<File> | BrokenSample {
  if (pictures.length > 1) return { name: key, reason: `it has two pictures: ${both(pictures)}` };
  const byExtension = new Map<string, File>();
  for (const text of texts) {
    const extension = text.name.slice(key.length + 1).toLowerCase();
    const before = byExtension.get(extension);
    if (before !== undefined) return { name: key, reason: `it has two texts: ${both([before, text])}` };
    if (pictures.length > 0 && !textExtension.test(extension)) {
      const other = texts.find((one) => one !== text) ?? pictures[0]!;
      return { name: key, reason: `whose words are these: ${both([other, text])}` };
    }
    byExtension.set(extension, text);
  }
  const [picture] = pictures;
  const [text] = texts;
  const neighbour = around.find((file) => !texts.includes(file));
  if (picture === undefined && text !== undefined && neighbour !== undefined) {
    return {
      name: key,
      reason: `it has words but no picture: ${text.name} stands beside ${listed(around.filter((file) => file !== text))}`,
    };
  }
  return { key, picture, texts: byExtension };
}

function both(files: readonly ShardFile[]): string {
  const [one, other] = files as readonly [ShardFile, ShardFile];
  return one.name === other.name ? `${one.name} stands twice in the shard` : `${one.name} and ${other.name}`;
}

function listed(files: readonly ShardFile[]): string {
  return files
    .slice(0, 3)
    .map(({ name }) => name)
    .join(' and ');
}

function splitAtFirstDot(path: string): { key: string; extension: string } {
  const [, key = path, extension = ''] = /^((?:.*\/)?[^/.]*)\.([^/]+)$/.exec(path) ?? [];
  return { key, extension };
}

function withoutExtension(path: string): string {
  return path.replace(/\.[^./]+$/, '');
}
