/**
 * SentencePiece's table of what characters become (`precompiled_charsmap`): a double-array trie over UTF-8 bytes, and the
 * texts that its leaves point to.
 */
import { invalidTokenizer } from './vocabulary-json.ts';

/**
 * How a text is led over the table.
 * - `graphemes`: as Hugging Face's Rust library does. A grapheme of fewer than six bytes is looked up whole, and becomes what
 *   its first characters become, whatever follows in it; longer ones are looked up letter by letter.
 * - `longest`: as SentencePiece does, the longest entry at each place.
 */
export type CharacterMapWalk = 'graphemes' | 'longest';

const mostBytes = 16 * 1024 * 1024;

/**
 * @param packed base64, or the bytes as a SentencePiece model holds them
 * @throws EidosError `invalid_tokenizer`
 */
export function readCharacterMap(
  packed: string | Uint8Array,
  walk: CharacterMapWalk,
): (text: string) => string {
  const bytes = typeof packed === 'string' ? Buffer.from(packed, 'base64') : Buffer.from(packed);
  if (bytes.length === 0) return (text) => text;
  const trieBytes = bytes.length < 4 ? -1 : bytes.readUInt32LE(0);
  if (trieBytes < 4 || trieBytes % 4 !== 0 || trieBytes + 4 > bytes.length || bytes.length > mostBytes) {
    throw invalidTokenizer('tokenizer.json', 'its precompiled_charsmap is no table of SentencePiece’s.');
  }
  const units = Uint32Array.from({ length: trieBytes / 4 }, (_, at) => bytes.readUInt32LE(4 + 4 * at));
  const texts = bytes.subarray(4 + trieBytes);
  const textAt = (start: number): string => {
    const end = texts.indexOf(0, start);
    return texts.toString('utf8', start, end < 0 ? texts.length : end);
  };
  /** The entry that `from` begins with: the shortest, or the longest. */
  const entry = (
    from: Buffer,
    start: number,
    longest: boolean,
  ): { length: number; text: string } | undefined => {
    let node = 0;
    let unit = units[0]!;
    node ^= offsetOf(unit);
    let found: { length: number; value: number } | undefined;
    for (let at = start; at < from.length; at++) {
      node ^= from[at]!;
      if (node >= units.length) break;
      unit = units[node]!;
      // Bits 31 and 7 to 0 hold the label of the way that led here.
      if ((unit & 0x8000_00ff) >>> 0 !== from[at]!) break;
      node ^= offsetOf(unit);
      if (((unit >>> 8) & 1) === 1 && node < units.length) {
        found = { length: at + 1 - start, value: units[node]! & 0x7fff_ffff };
        if (!longest) break;
      }
    }
    return found === undefined ? undefined : { length: found.length, text: textAt(found.value) };
  };
  if (walk === 'longest') {
    return (text) => {
      const source = Buffer.from(text, 'utf8');
      let result = '';
      for (let at = 0; at < source.length; ) {
        const found = entry(source, at, true);
        const length = found?.length ?? characterLength(source[at]!);
        result += found?.text ?? source.toString('utf8', at, at + length);
        at += length;
      }
      return result;
    };
  }
  const short = (part: string): string | undefined => entry(Buffer.from(part, 'utf8'), 0, false)?.text;
  return (text) => {
    let result = '';
    for (const { segment } of graphemes.segment(text)) {
      const whole = Buffer.byteLength(segment) < 6 ? short(segment) : undefined;
      if (whole !== undefined) result += whole;
      else for (const character of segment) result += short(character) ?? character;
    }
    return result;
  };
}

const graphemes = new Intl.Segmenter(undefined, { granularity: 'grapheme' });

const offsetOf = (unit: number): number => (unit >>> 10) << ((unit & 0x200) >>> 6);

/** Bytes of the UTF-8 character that begins with a byte. */
const characterLength = (first: number): number =>
  first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
