/** The visible characters that stand for the 256 byte values in byte-level vocabularies. */

const printable = (byte: number): boolean =>
  (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || (byte >= 0xae && byte <= 0xff);

const hidden = Array.from({ length: 256 }, (_, byte) => byte).filter((byte) => !printable(byte));

/** The character of each byte: itself where it is visible in Latin-1, else the next one from U+0100 on. */
export const symbolOfByte: readonly string[] = Array.from({ length: 256 }, (_, byte) =>
  String.fromCodePoint(printable(byte) ? byte : 0x100 + hidden.indexOf(byte)),
);

/** The byte of each character. */
export const byteOfSymbol: ReadonlyMap<string, number> = new Map(
  symbolOfByte.map((symbol, byte) => [symbol, byte]),
);

/** The characters in the order in which CLIP's vocabulary numbers them: visible ones first. */
export const symbolsInVocabularyOrder: readonly string[] = [
  ...symbolOfByte.filter((_, byte) => printable(byte)),
  ...symbolOfByte.filter((_, byte) => !printable(byte)),
];
