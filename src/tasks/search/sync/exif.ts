/** What cameras write into pictures: the few EXIF fields that people search by (CIPA DC-008, over TIFF 6.0). */

export interface CameraNotes {
  /** The camera's local time read as if it were UTC, in milliseconds since 1970. */
  taken: number | null;
  /** Make and model. */
  camera: string | null;
  /** ImageDescription. */
  caption: string | null;
}

const tags = {
  description: 0x010e,
  make: 0x010f,
  model: 0x0110,
  changed: 0x0132,
  exifFolder: 0x8769,
  original: 0x9003,
  digitized: 0x9004,
} as const;

/** TIFF's types of values that are read here. */
const ascii = 2;
const long = 4;

/** A text of a camera is short; more is no text. */
const longestText = 2000;
const mostEntries = 1000;

/** Reads an EXIF block; a damaged one tells as much as can be read of it. */
export function readCameraNotes(block: Uint8Array | undefined): CameraNotes {
  const found = block === undefined ? new Map<number, string | number>() : readEntries(block);
  const text = (tag: number): string | null => {
    const value = found.get(tag);
    return typeof value === 'string' && value !== '' ? value : null;
  };
  const make = text(tags.make);
  const model = text(tags.model);
  // Most models begin with the make already.
  const camera =
    make !== null && model !== null && !model.toLowerCase().startsWith(make.toLowerCase().split(' ')[0]!)
      ? `${make} ${model}`
      : (model ?? make);
  return {
    // The first that is a time: cameras leave zeros, scanners know the day of the scan alone.
    taken: parseTime(text(tags.original)) ?? parseTime(text(tags.digitized)) ?? parseTime(text(tags.changed)),
    camera,
    caption: text(tags.description),
  };
}

/** The texts and the offset that are wanted, of the first folder of entries and the EXIF folder behind it. */
function readEntries(block: Uint8Array): Map<number, string | number> {
  const found = new Map<number, string | number>();
  const marked = String.fromCharCode(...block.subarray(0, 6)) === 'Exif\0\0';
  const bytes = marked ? block.subarray(6) : block;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view.byteLength < 8) return found;
  const order = view.getUint16(0);
  if (order !== 0x4949 && order !== 0x4d4d) return found;
  const little = order === 0x4949;

  const readFolder = (at: number): void => {
    if (at < 8 || at + 2 > view.byteLength) return;
    const count = Math.min(view.getUint16(at, little), mostEntries);
    for (let entry = at + 2; entry < at + 2 + count * 12; entry += 12) {
      if (entry + 12 > view.byteLength) return;
      const tag = view.getUint16(entry, little);
      const type = view.getUint16(entry + 2, little);
      const length = view.getUint32(entry + 4, little);
      if (type === long && length === 1) found.set(tag, view.getUint32(entry + 8, little));
      if (type !== ascii || length > longestText) continue;
      const start = length <= 4 ? entry + 8 : view.getUint32(entry + 8, little);
      if (start + length > view.byteLength) continue;
      found.set(tag, decodeText(bytes.subarray(start, start + length)));
    }
  };
  readFolder(view.getUint32(4, little));
  const exifFolder = found.get(tags.exifFolder);
  if (typeof exifFolder === 'number') readFolder(exifFolder);
  return found;
}

/** ASCII by the standard, UTF-8 in practice; ends at the first zero. */
function decodeText(bytes: Uint8Array): string {
  const end = bytes.indexOf(0);
  return new TextDecoder().decode(end < 0 ? bytes : bytes.subarray(0, end)).trim();
}

/** `2024:05:31 12:00:00`, or null for anything else: zeros of a camera whose clock was not set, 31 February. */
function parseTime(text: string | null): number | null {
  const parts = /^(\d{4})[:-](\d\d)[:-](\d\d)[ T](\d\d):(\d\d):(\d\d)/.exec(text ?? '');
  if (parts === null) return null;
  const [year, month, day, hour, minute, second] = parts.slice(1).map(Number) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  const time = new Date(0);
  // Date.UTC takes the years 0 to 99 for those of the last century.
  time.setUTCFullYear(year, month - 1, day);
  time.setUTCHours(hour, minute, second);
  const written = `${parts[1]}-${parts[2]}-${parts[3]}T${parts[4]}:${parts[5]}:${parts[6]}.000Z`;
  return year > 0 && time.toISOString() === written ? time.getTime() : null;
}
