/** Lines of text files, one by one, where a line that is no UTF-8 is told apart from those that are. */
import { createReadStream } from 'node:fs';
import { pipeline } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { EidosError } from '../../errors.ts';

export interface TextLine {
  /** Counted from 1. */
  number: number;
  /** Undefined where the bytes are no UTF-8. */
  text: string | undefined;
}

/** A line that is longer is no line of captions: the file is something else. */
const mostBytes = 16 * 1024 * 1024;

const newline = 10;
const carriageReturn = 13;
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * The lines of a file without their ends (LF, CR LF, or CR alone as old Macs wrote it, also mixed); `.gz` is unpacked.
 * @throws EidosError `not_found` where it cannot be read, `invalid_option` where it is UTF-16 or has endless lines
 */
export async function* textLines(path: string): AsyncGenerator<TextLine, void, undefined> {
  let number = 0;
  for await (const bytes of lineBytes(path)) {
    number++;
    const text = decodeText(number === 1 ? withoutMark(bytes, path) : bytes);
    yield { number, text };
  }
}

/** Text of bytes, or undefined where they are no UTF-8 or were spoilt before: U+FFFD stands for a lost letter. */
export function decodeText(bytes: Uint8Array): string | undefined {
  try {
    const text = decoder.decode(bytes);
    return text.includes('\uFFFD') ? undefined : text;
  } catch {
    return undefined;
  }
}

async function* lineBytes(path: string): AsyncGenerator<Uint8Array, void, undefined> {
  const file = createReadStream(path);
  // An error of the file ends the unpacking, whose own error is then that one.
  const stream = path.endsWith('.gz') ? pipeline(file, createGunzip(), () => {}) : file;
  let rest: Uint8Array[] = [];
  let length = 0;
  /** A line feed may follow in the next piece. */
  let endsWithReturn = false;
  try {
    for await (const chunk of stream as AsyncIterable<Uint8Array>) {
      if (chunk.length === 0) continue;
      let start = endsWithReturn && chunk[0] === newline ? 1 : 0;
      for (const end of lineEnds(chunk, start)) {
        yield Buffer.concat([...rest, chunk.subarray(start, end)]);
        rest = [];
        length = 0;
        start = end + (chunk[end] === carriageReturn && chunk[end + 1] === newline ? 2 : 1);
      }
      endsWithReturn = chunk.at(-1) === carriageReturn;
      rest.push(chunk.subarray(start));
      length += chunk.length - start;
      if (length > mostBytes) {
        throw new EidosError(
          'invalid_option',
          `${path} has a line of more than ${mostBytes} bytes: it is no list.`,
        );
      }
    }
    if (length > 0) yield Buffer.concat(rest);
  } catch (cause) {
    if (cause instanceof EidosError) throw cause;
    throw new EidosError('not_found', `${path} cannot be read: ${(cause as Error).message}.`, { cause });
  } finally {
    file.destroy();
  }
}

/** Where lines end in a piece of a file; a carriage return with its line feed is one end. */
function* lineEnds(chunk: Uint8Array, start: number): Generator<number, void, undefined> {
  let feed = chunk.indexOf(newline, start);
  let carriage = chunk.indexOf(carriageReturn, start);
  while (feed >= 0 || carriage >= 0) {
    const end = feed < 0 || (carriage >= 0 && carriage < feed) ? carriage : feed;
    yield end;
    const next = end === carriage && feed === end + 1 ? end + 2 : end + 1;
    if (feed >= 0 && feed < next) feed = chunk.indexOf(newline, next);
    if (carriage >= 0 && carriage < next) carriage = chunk.indexOf(carriageReturn, next);
  }
}

/** Whether the lines of a file are JSON, by its name. */
export function hasJsonLines(path: string): boolean {
  return /\.jsonl(\.gz)?$/i.test(path);
}

/** The first line without the mark that says UTF-8. */
function withoutMark(bytes: Uint8Array, path: string): Uint8Array {
  const [first, second, third] = bytes;
  if ((first === 0xff && second === 0xfe) || (first === 0xfe && second === 0xff)) {
    throw new EidosError('invalid_option', `${path} is UTF-16: save it as UTF-8.`);
  }
  return first === 0xef && second === 0xbb && third === 0xbf ? bytes.subarray(3) : bytes;
}
