/** Files with a word or a sentence a line, as labels and vocabularies are given. */
import { readFile } from 'node:fs/promises';
import { EidosError } from '../errors.ts';
import { linesOf } from '../text/lines.ts';

/**
 * The lines of a file that an option names, without blank ones.
 *
 * @throws EidosError `not_found` where it cannot be read; `invalid_option` where it is no UTF-8 text: a picture given by
 * mistake would otherwise become labels that upset the terminal
 */
export async function readWordList(option: string, file: string): Promise<string[]> {
  const bytes = await readFile(file).catch((cause: NodeJS.ErrnoException) => {
    const reason =
      cause.code === 'ENOENT'
        ? 'there is no such file.'
        : cause.code === 'EISDIR'
          ? 'it is a folder; name a text file with a line a word.'
          : cause.message;
    throw new EidosError('not_found', `${option} ${file} cannot be read: ${reason}`, { cause });
  });
  return linesOf(decode(bytes, `${option} ${file}`))
    .map((line) => line.trim())
    .filter((line) => line !== '');
}

function decode(bytes: Uint8Array, name: string): string {
  let text: string | undefined;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    // Told below, with files of another encoding whose bytes happen to be UTF-8.
  }
  if (text === undefined || text.includes('\0')) {
    throw new EidosError('invalid_option', `${name} is no text in UTF-8: save it as UTF-8, a word a line.`);
  }
  return text;
}
