/** A way in which data sets lie on disk: how it is recognised, and how it is read. */
import { EidosError } from '../../errors.ts';
import type { Dataset, DatasetSelection } from '../dataset.ts';

export interface DatasetFormReader {
  /** What the folder has to hold, in the words of an error message. */
  description: string;
  /** Whether the folder is of this form, told from its content. */
  recognise(folder: string): Promise<boolean>;
  /**
   * Reads what is there, but no picture yet.
   * @throws EidosError `not_found` for parts and files that are missing, `invalid_option` for a malformed index
   */
  open(folder: string, selection: DatasetSelection): Promise<Omit<Dataset, 'name' | 'form'>>;
}

/** The set's own name as words. */
export function wordsOf(name: string): string {
  return name.replaceAll('_', ' ').replace(/\s+/g, ' ').trim();
}

/** For forms that know nothing of a picture but its class. */
export function refuseFields(folder: string, where: DatasetSelection['where']): void {
  const [field] = Object.keys(where ?? {});
  if (field === undefined) return;
  throw new EidosError(
    'invalid_option',
    `${folder} says nothing of "${field}": only sets with index.jsonl have fields to choose by.`,
  );
}

/** Whether a path from a list stays below the folder that the list lies in. */
export function isBelow(path: string): boolean {
  return !path.split(/[/\\]/).includes('..') && !/^([/\\]|\w:)/.test(path);
}
