/** Columns of texts as one run of bytes with offsets: a million paths are two arrays, not a million strings. */

export interface TextColumn {
  readonly length: number;
  /** An empty text stands for none. */
  get(row: number): string;
}

/** Texts, one after the other in UTF-8; text i lies from offsets[i] to offsets[i + 1]. */
export interface TextBytes {
  bytes: Uint8Array;
  offsets: Int32Array;
}

const decoder = new TextDecoder();
const encoder = new TextEncoder();

export function textColumn({ bytes, offsets }: TextBytes): TextColumn {
  return {
    length: offsets.length - 1,
    get: (row) => decoder.decode(bytes.subarray(offsets[row]!, offsets[row + 1]!)),
  };
}

export function encodeTexts(texts: readonly (string | null)[]): TextBytes {
  const parts = texts.map((text) => encoder.encode(text ?? ''));
  const offsets = new Int32Array(texts.length + 1);
  parts.forEach((part, i) => {
    offsets[i + 1] = offsets[i]! + part.length;
  });
  const bytes = new Uint8Array(offsets[texts.length]!);
  parts.forEach((part, i) => {
    bytes.set(part, offsets[i]!);
  });
  return { bytes, offsets };
}
