/** What the classes of a set are called in sentences: by the set itself, or by a labels file. */
import { readFile } from 'node:fs/promises';
import { EidosError } from '../errors.ts';
import { linesOf } from '../text/lines.ts';
import type { DatasetClass } from './dataset.ts';

/** Words for classes by the set's own names; several words for one class are synonyms. */
export type Labels = ReadonlyMap<string, readonly string[]>;

/**
 * Reads a labels file: `name<TAB>words` a line, where the name is the set's own. Synonyms are separated by ` | `, or the
 * name is repeated on another line. Empty lines and lines that begin with # are passed over.
 * @throws EidosError `not_found`, `invalid_option` for a line without a tab or without words
 */
export async function readLabelsFile(path: string): Promise<Labels> {
  const content = await readFile(path, 'utf8').catch((cause: NodeJS.ErrnoException) => {
    const why = cause.code === 'ENOENT' ? 'there is no such file.' : cause.message;
    throw new EidosError('not_found', `The labels file ${path} cannot be read: ${why}`, { cause });
  });
  const labels = new Map<string, string[]>();
  for (const [index, line] of linesOf(content.replace(/^\uFEFF/, '')).entries()) {
    if (line.trim() === '' || line.startsWith('#')) continue;
    const [name = '', words = ''] = line.split('\t', 2).map((part) => part.trim());
    const synonyms = words.split(' | ').map((word) => word.trim());
    if (name === '' || synonyms.includes('')) {
      throw new EidosError(
        'invalid_option',
        `${path}, line ${index + 1}: a line is the set's own name, a tab, and the words for it.`,
      );
    }
    labels.set(name, [...new Set([...(labels.get(name) ?? []), ...synonyms])]);
  }
  return labels;
}

/**
 * The words of each class, in the order of the classes: those of the labels where they name the class, otherwise the
 * set's own.
 * @throws EidosError `invalid_option` where no label belongs to a class of the set
 */
export function wordsOfClasses(
  classes: readonly DatasetClass[],
  labels: Labels = new Map(),
  onWarning: (message: string) => void = () => {},
): string[][] {
  const keys = new Set(classes.map(({ key }) => key));
  const unknown = [...labels.keys()].filter((name) => !keys.has(name));
  if (unknown.length > 0) {
    const some = [...keys].slice(0, 5).join(', ');
    const message = `The labels name ${quote(unknown)}, but the set has no such class; its own names are like ${some}.`;
    if (unknown.length === labels.size) throw new EidosError('invalid_option', message);
    onWarning(message);
  }
  const words = classes.map(({ key, words }) => [...(labels.get(key) ?? [words])]);
  const seen = new Map<string, string>();
  for (const [index, own] of words.entries()) {
    const text = own.join(' | ');
    const other = seen.get(text);
    const { key } = classes[index]!;
    if (other === undefined) seen.set(text, key);
    else
      onWarning(`The classes ${other} and ${key} are both called "${text}": the second is never the answer.`);
  }
  return words;
}

function quote(names: readonly string[]): string {
  const shown = names.slice(0, 3).map((name) => `"${name}"`);
  return names.length > 3 ? `${shown.join(', ')} and ${names.length - 3} others` : shown.join(', ');
}
