/** What kind of numbers a TIFF holds, from its first directory (TIFF 6.0, section 2; BigTIFF's wider fields too). */
import { EidosError } from '../errors.ts';

/** Tags of the directory. */
const [bitsPerSample, sampleFormat] = [258, 339];

/** Values of the tag SampleFormat; what it does not name is unsigned. */
const kinds: Readonly<Record<number, string>> = {
  1: 'unsigned integers',
  2: 'signed integers',
  3: 'floating numbers',
  5: 'complex integers',
  6: 'complex floating numbers',
};

/**
 * Refuses numbers of which nobody can say what is white: only unsigned ones of at most 16 bits are pixels as they stand.
 * @throws EidosError `invalid_image`, with the kind of numbers
 */
export function requirePlainNumbers(bytes: Uint8Array, label: string): void {
  const { bits = 1, format = 1 } = numbersOf(bytes);
  if ((format === 1 || format === 4) && bits <= 16) return;
  throw new EidosError(
    'invalid_image',
    `${label} is a TIFF of ${bits}-bit ${kinds[format] ?? 'numbers of an unknown kind'}, of which only their author knows what is white: convert it to 8 or 16 bits.`,
  );
}

/** The first sample's bits and kind; nothing of a directory that is cut off, which the decoder will tell. */
function numbersOf(bytes: Uint8Array): { bits?: number; format?: number } {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const little = bytes[0] === 0x49;
  const isBig = view.getUint16(2, little) === 43;
  const wide = (at: number): number =>
    isBig ? Number(view.getBigUint64(at, little)) : view.getUint32(at, little);
  const found: { bits?: number; format?: number } = {};
  try {
    const directory = wide(isBig ? 8 : 4);
    const count = isBig ? Number(view.getBigUint64(directory, little)) : view.getUint16(directory, little);
    const [first, length] = isBig ? [directory + 8, 20] : [directory + 2, 12];
    for (let entry = 0; entry < count; entry++) {
      const at = first + entry * length;
      const tag = view.getUint16(at, little);
      if (tag !== bitsPerSample && tag !== sampleFormat) continue;
      const values = isBig ? Number(view.getBigUint64(at + 4, little)) : view.getUint32(at + 4, little);
      const field = at + (isBig ? 12 : 8);
      // Values that do not fit into the field lie elsewhere, and it says where.
      const place = values * 2 <= (isBig ? 8 : 4) ? field : wide(field);
      const value = view.getUint16(place, little);
      if (tag === bitsPerSample) found.bits = value;
      else found.format = value;
    }
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
  }
  return found;
}
