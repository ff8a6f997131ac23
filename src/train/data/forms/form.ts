/** A way in which pictures with words lie on disk: how it is recognised, and what is found there. */
import type { Words } from '../captions.ts';
import type { ColumnsConfig } from '../config.ts';
import type { PicturePlace } from '../places.ts';

/** A picture of a source, not read yet. */
export interface FoundPicture {
  /** By which messages call it. */
  name: string;
  place: PicturePlace;
  captions: Words;
  /** The source's own name of its class. */
  label?: string;
  /** What the source itself calls the class in English. @default the label with spaces for underscores */
  labelWords?: string;
  /** Its line in the index, counted over all parts of the source. */
  row: number;
}

/** A sample that cannot be trained on, and why. */
export interface BrokenSample {
  name: string;
  reason: string;
}

export interface FoundSource {
  pictures: FoundPicture[];
  broken: BrokenSample[];
}

export interface FormRequest {
  /** Absolute paths and patterns. */
  paths: readonly string[];
  split?: string | undefined;
  columns?: ColumnsConfig | undefined;
  /** Languages whose captions are wanted. */
  languages: readonly string[];
}

export interface FormReader {
  /** What has to be there, in the words of an error message. */
  description: string;
  /** Whether a path is of this form, told from what lies there. */
  recognise(path: string): Promise<boolean>;
  /**
   * Finds the pictures with their words, and reads none.
   * @throws EidosError `not_found` for parts and files that are missing, `invalid_option` for what is malformed
   */
  find(request: FormRequest): Promise<FoundSource>;
}

/** Captions of a record whose fields are languages, each with a sentence or several. */
export function captionsIn(record: Readonly<Record<string, unknown>>, languages: readonly string[]): Words {
  const captions: Record<string, string[]> = {};
  for (const language of languages) {
    const sentences = [record[language] ?? []]
      .flat()
      .filter((sentence) => typeof sentence === 'string')
      .map((sentence) => sentence.trim())
      .filter((sentence) => sentence !== '');
    if (sentences.length > 0) captions[language] = sentences;
  }
  return captions;
}

/** Words of one picture that stand in two places, in their order. */
export function joinWords(one: Words, other: Words): Words {
  const joined: Partial<Record<string, readonly string[]>> = { ...one };
  for (const [language, sentences = []] of Object.entries(other)) {
    joined[language] = [...(joined[language] ?? []), ...sentences];
  }
  return joined;
}
