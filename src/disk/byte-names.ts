/** Names of files whose bytes are no UTF-8, as text that can be shown, kept and opened again: `caf\xE9.jpg`. */
import { statSync } from 'node:fs';

const strict = new TextDecoder('utf-8', { fatal: true });

/** The bytes of a name as text; parts that are UTF-8 stay, every other byte becomes `\xE9`. */
export function textOfBytes(bytes: Buffer): string {
  if (isText(bytes)) return strict.decode(bytes);
  let text = '';
  for (let at = 0; at < bytes.length; ) {
    const length = [1, 2, 3, 4].find((count) => isText(bytes.subarray(at, at + count)));
    if (length === undefined) {
      text += `\\x${bytes[at]!.toString(16).toUpperCase().padStart(2, '0')}`;
      at += 1;
    } else {
      text += strict.decode(bytes.subarray(at, at + length));
      at += length;
    }
  }
  return text;
}

/** Whether bytes are UTF-8. */
export function isText(bytes: Buffer): boolean {
  try {
    strict.decode(bytes);
    return bytes.length > 0;
  } catch {
    return false;
  }
}

/** What to open for a path: itself where it is there or has no `\xE9`, otherwise the bytes that it was written for. */
export function pathOfText(path: string): string | Buffer {
  if (!/\\x[89A-F][0-9A-F]/.test(path) || statSync(path, { throwIfNoEntry: false }) !== undefined)
    return path;
  const parts = path.split(/(\\x[89A-F][0-9A-F])/);
  return Buffer.concat(
    parts.map((part, at) => (at % 2 === 1 ? Buffer.from(part.slice(2), 'hex') : Buffer.from(part))),
  );
}
