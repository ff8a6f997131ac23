/** Many texts in one piece of memory: a million JavaScript strings would take several times as much. */
import { EidosError } from '../../../errors.ts';

export interface TextList {
  readonly length: number;
  at(index: number): string;
}

export interface TextListBuilder {
  add(text: string): void;
  /** What was added; nothing more may be. */
  finish(): TextList;
}

/** Ends are counted in 32 bits. */
const mostBytes = 2 ** 32 - 1;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** @param origin by which an error calls the texts */
export function createTextList(origin: string): TextListBuilder {
  let bytes = new Uint8Array(1 << 16);
  let used = 0;
  const ends: number[] = [];
  return {
    add(text) {
      // Three bytes are the most that a UTF-16 unit takes.
      const most = used + 3 * text.length;
      if (most > mostBytes) {
        throw new EidosError('invalid_option', `${origin} has more than 4 GB of text: name parts of it.`);
      }
      if (most > bytes.length) {
        const larger = new Uint8Array(Math.min(mostBytes, Math.max(most, 2 * bytes.length)));
        larger.set(bytes);
        bytes = larger;
      }
      used += encoder.encodeInto(text, bytes.subarray(used)).written;
      ends.push(used);
    },
    finish() {
      const kept = bytes.slice(0, used);
      const places = Uint32Array.from(ends);
      return {
        length: places.length,
        at: (index) => decoder.decode(kept.subarray(index === 0 ? 0 : places[index - 1], places[index])),
      };
    },
  };
}

/** All texts one by one. */
export function* textsIn(list: TextList): Generator<string, void, undefined> {
  for (let at = 0; at < list.length; at++) yield list.at(at);
}
