/**
 * Samples whose parts are files of one name, as webdataset keeps them: `KEY.jpg` beside `KEY.txt` (a caption a line),
 * `KEY.LANGUAGE.txt`, `KEY.cls` (a class) and `KEY.json` (captions by language, `caption` or `text`, `label`).
 */
import { isNamedLikePicture } from '../../../image/paths.ts';
import type { PicturePlace } from '../places.ts';
import { decodeText } from '../text-lines.ts';
import { type BrokenSample, captionsIn, type FoundPicture } from './form.ts';

/** The files of a sample; the part of their names after the first dot is the key here. */
export interface SampleFiles {
  /** By which messages call it. */
  name: string;
  picture?: PicturePlace;
  texts: Map<string, () => Promise<Uint8Array>>;
}

/** What a name is before and after its first dot; folders count to the key. */
export function splitSampleName(path: string): { key: string; extension: string } {
  const [, key = path, extension = ''] = /^((?:.*\/)?[^/.]*)\.([^/]+)$/.exec(path) ?? [];
  return { key, extension: extension.toLowerCase() };
}

/** Whether a file may belong to a sample. */
export function isPartOfSample(path: string): boolean {
  return isNamedLikePicture(path) || /\.(txt|caption|json|cls)$/i.test(path);
}

/** Reads the words of a sample. */
export async function readSample(
  { name, picture, texts }: SampleFiles,
  row: number,
  languages: readonly string[],
): Promise<FoundPicture | BrokenSample> {
  if (picture === undefined) return { name, reason: 'it has words but no picture' };
  const record: Record<string, unknown> = {};
  for (const [extension, read] of texts) {
    const text = decodeText(await read())?.replace(/^\uFEFF/, '');
    if (text === undefined) return { name, reason: `its .${extension} is no UTF-8` };
    const problem = addWords(record, extension, text);
    if (problem !== undefined) return { name, reason: problem };
  }
  const { label } = record;
  return {
    name,
    place: picture,
    captions: captionsIn(record, languages),
    ...(typeof label === 'string' || typeof label === 'number' ? { label: String(label) } : {}),
    row,
  };
}

/** Adds what one file says to the record of captions by language and `label`; says what is wrong with it, if anything. */
function addWords(record: Record<string, unknown>, extension: string, text: string): string | undefined {
  if (extension === 'cls') {
    record.label = text.trim();
    return undefined;
  }
  if (!extension.endsWith('json')) {
    const language = /^([a-z]{2,3})\.(txt|caption)$/.exec(extension)?.[1] ?? 'en';
    record[language] = text.split(/\r?\n/);
    return undefined;
  }
  try {
    const value = JSON.parse(text) as Record<string, unknown>;
    if (typeof value !== 'object' || value === null) return 'its .json is no object';
    const english = value.en ?? value.caption ?? value.captions ?? value.text;
    Object.assign(record, value, english === undefined ? {} : { en: english });
    record.label = value.label ?? value.class ?? value.cls ?? record.label;
    return undefined;
  } catch (error) {
    return `its .json is malformed: ${(error as Error).message}`;
  }
}
