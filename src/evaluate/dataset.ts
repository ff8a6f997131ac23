/** What a data set is to evaluation, whatever its form on disk: pictures with a class, with captions, or with both. */
import type { EidosError } from '../errors.ts';
import type { ImageSource } from '../image/source.ts';

/** Languages of captions and of words for classes, by their codes. */
export const languages = ['en', 'de'] as const;
export type Language = (typeof languages)[number];

/** How a set lies on disk. */
export type DatasetForm = 'class_folders' | 'index_file' | 'tile_sheets';

/** A class of a set. */
export interface DatasetClass {
  /** The set's own name, by which a labels file calls it: the folder, the label, the WordNet id. */
  key: string;
  /** What it is called in a sentence where no labels file says otherwise. */
  words: string;
}

/** One picture with what is known of it. */
export interface Sample {
  /** Names the picture in messages: its path inside the set, or sheet and number of the tile. */
  name: string;
  /** The picture, or why it could not be had. */
  image: ImageSource | EidosError;
  /** Index into the classes of the set; undefined where it has no class. */
  label?: number;
  captions: Partial<Record<Language, readonly string[]>>;
}

/** A part of a data set that can be gone through as often as wanted. */
export interface Dataset {
  /** The name of its folder. */
  name: string;
  form: DatasetForm;
  /** The part, or `all` for every picture. */
  split: string;
  /** The fields that pictures were chosen by, if they were. */
  where?: Readonly<Record<string, string>>;
  /** Classes of the whole set, whichever part is measured; none where pictures have captions only. */
  classes: readonly DatasetClass[];
  /** Languages in which at least one picture of the part has a caption. */
  captionLanguages: readonly Language[];
  /** Pictures of the part, those left out not counted. */
  size: number;
  /** What was left out, and by which file. */
  excluded: readonly { file: string; pictures: number }[];
  /** The pictures, read as they are asked for. */
  samples(): AsyncIterable<Sample>;
}

/** What of a set is wanted. */
export interface DatasetSelection {
  /**
   * A part that the set names, or `all`.
   * @default `test`, else `val`, `validation` or `valid`, else the only part, else `all`
   */
  split?: string | undefined;
  /** Fields of `index.jsonl` with the value that a picture must have, such as `domain` → `photo`. */
  where?: Readonly<Record<string, string>> | undefined;
}
