/**
 * Samples whose parts are files of one name, as webdataset keeps them: `KEY.jpg` beside `KEY.txt` (a caption a line),
 * `KEY.LANGUAGE.txt`, `KEY.cls` (a class) and `KEY.json` (captions by language, `caption` or `text`, `label`).
 */
import { linesOf } from '../../../text/lines.ts';
import type { PicturePlace } from '../places.ts';
import { decodeText } from '../text-lines.ts';
import { type BrokenSample, captionsIn, type FoundPicture } from './form.ts';

/** The files of a sample, texts by what follows its key: `txt`, `de.txt`, `json`. */
export interface SampleFiles {
  /** By which messages call it. */
  name: string;
  picture?: PicturePlace;
  texts: Map<string, () => Promise<Uint8Array>>;
}

/** Reads the words of a sample. The same words in several of its files are said once; others in one language are broken. */
export async function readSample(
  { name, picture, texts }: SampleFiles,
  row: number,
  languages: readonly string[],
): Promise<FoundPicture | BrokenSample> {
  if (picture === undefined) return { name, reason: 'it has words but no picture' };
  const captions = new Map<string, { sentences: readonly string[]; extension: string }>();
  let label: string | undefined;
  for (const [extension, read] of texts) {
    const text = decodeText(await read())?.replace(/^\uFEFF/, '');
    if (text === undefined) return { name, reason: `its .${extension} is no UTF-8` };
    const record = recordOf(extension, text);
    if (typeof record === 'string') return { name, reason: record };
    if (typeof record.label === 'string' || typeof record.label === 'number') {
      const own = String(record.label);
      if (label !== undefined && label !== own) {
        return { name, reason: `its files give it two classes: "${label}" and "${own}"` };
      }
      label = own;
    }
    for (const [language, sentences = []] of Object.entries(captionsIn(record, languages))) {
      const before = captions.get(language);
      if (before !== undefined && before.sentences.join('\n') !== sentences.join('\n')) {
        return {
          name,
          reason: `its .${before.extension} and .${extension} say different things in one language (${language})`,
        };
      }
      captions.set(language, before ?? { sentences, extension });
    }
  }
  return {
    name,
    place: picture,
    captions: Object.fromEntries([...captions].map(([language, { sentences }]) => [language, sentences])),
    ...(label === undefined ? {} : { label }),
    row,
  };
}

/** What one file says, as captions by language and `label`; or what is wrong with it. */
function recordOf(extension: string, text: string): Record<string, unknown> | string {
  if (extension === 'cls') return { label: text.trim() };
  if (!extension.endsWith('json')) {
    const language = /^([a-z]{2,3})\.(txt|caption)$/.exec(extension)?.[1] ?? 'en';
    return { [language]: linesOf(text) };
  }
  try {
    const value = JSON.parse(text) as Record<string, unknown>;
    if (typeof value !== 'object' || value === null) return 'its .json is no object';
    const english = value.en ?? value.caption ?? value.captions ?? value.text;
    const label = value.label ?? value.class ?? value.cls;
    return { ...value, ...(english === undefined ? {} : { en: english }), label };
  } catch (error) {
    return `its .json is malformed: ${(error as Error).message}`;
  }
}
