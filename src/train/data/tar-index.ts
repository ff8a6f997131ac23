/**
 * Where the files of a tar archive lie in it, so that any of them can be read without those before it. Reading an
 * archive as a stream (image/archive.ts) does not tell places, and only its headers are read here.
 */
import { type FileHandle, open } from 'node:fs/promises';
import { EidosError } from '../../errors.ts';

export interface TarMember {
  /** Its path inside the archive. */
  name: string;
  offset: number;
  length: number;
}

export interface TarIndex {
  members: TarMember[];
  /** Where the archive ends too early, if it does: its last member is left out. */
  cutOffAt?: number;
}

const block = 512;

/** Names and extended headers; longer ones do not occur. */
const mostHeaderBytes = 1024 * 1024;

/**
 * Reads the headers of an archive (POSIX ustar, with the long names of pax and GNU).
 * @throws EidosError `not_found` where it cannot be read, `invalid_option` where it is no tar archive
 */
export async function readTarIndex(path: string): Promise<TarIndex> {
  let file: FileHandle;
  try {
    file = await open(path);
  } catch (cause) {
    throw new EidosError('not_found', `The shard ${path} cannot be opened: ${(cause as Error).message}.`, {
      cause,
    });
  }
  try {
    const { size } = await file.stat();
    return await readHeaders(file, size, path);
  } catch (cause) {
    if (cause instanceof EidosError) throw cause;
    throw new EidosError('not_found', `The shard ${path} cannot be read: ${(cause as Error).message}.`, {
      cause,
    });
  } finally {
    await file.close();
  }
}

async function readHeaders(file: FileHandle, size: number, path: string): Promise<TarIndex> {
  const members: TarMember[] = [];
  /** What a header before the member's own says of it. */
  let extended: { name?: string; length?: number } = {};
  const header = Buffer.alloc(block);
  let at = 0;
  while (at + block <= size) {
    await file.read(header, 0, block, at);
    // Two blocks of zeros end an archive; what follows is padding.
    if (header.every((byte) => byte === 0)) return { members };
    if (!hasItsChecksum(header)) {
      throw new EidosError(
        'invalid_option',
        `The shard ${path} is no sound tar archive: no header at byte ${at}.`,
      );
    }
    const type = String.fromCharCode(header[156]!);
    const stated = numberIn(header, 124, 12);
    const isMember = type === '0' || type === '\0' || type === '7';
    const length = isMember ? (extended.length ?? stated) : stated;
    const offset = at + block;
    // A negative length would lead back to headers that were read already, without end.
    if (!Number.isSafeInteger(length) || length < 0 || offset + length > size)
      return { members, cutOffAt: at };
    if (type === 'x' || type === 'L') {
      if (length > mostHeaderBytes) {
        throw new EidosError(
          'invalid_option',
          `The shard ${path} has a header of ${length} bytes at byte ${at}.`,
        );
      }
      const content = Buffer.alloc(length);
      await file.read(content, 0, length, offset);
      extended = {
        ...extended,
        ...(type === 'x' ? paxFields(content) : { name: textIn(content, 0, length) }),
      };
    } else {
      if (isMember)
        members.push({ name: (extended.name ?? nameIn(header)).replace(/^\.\//, ''), offset, length });
      if (type !== 'g') extended = {};
    }
    at = offset + Math.ceil(length / block) * block;
  }
  return at < size || members.length === 0 ? { members, cutOffAt: at } : { members };
}

/** The sum of a header's bytes, with the sum's own place counted as spaces. */
function hasItsChecksum(header: Buffer): boolean {
  let sum = 8 * 32;
  for (const [at, byte] of header.entries()) if (at < 148 || at >= 156) sum += byte;
  return sum === numberIn(header, 148, 8);
}

/** Octal digits, or a big-endian number where the first bit is set. */
function numberIn(header: Buffer, start: number, length: number): number {
  if ((header[start]! & 0x80) !== 0) {
    let value = header[start]! & 0x7f;
    for (let at = start + 1; at < start + length; at++) value = value * 256 + header[at]!;
    return value;
  }
  const digits = textIn(header, start, length).trim();
  return /^[0-7]+$/.test(digits) ? Number.parseInt(digits, 8) : Number.NaN;
}

function textIn(bytes: Buffer, start: number, length: number): string {
  const end = bytes.indexOf(0, start);
  return bytes.toString('utf8', start, end < 0 || end > start + length ? start + length : end);
}

function nameIn(header: Buffer): string {
  const name = textIn(header, 0, 100);
  const prefix = textIn(header, 257, 5) === 'ustar' && header[262] === 0 ? textIn(header, 345, 155) : '';
  return prefix === '' ? name : `${prefix}/${name}`;
}

/** Records `LENGTH KEY=VALUE\n`, of which path and size matter. */
function paxFields(content: Buffer): { name?: string; length?: number } {
  const fields: { name?: string; length?: number } = {};
  for (let at = 0; at < content.length; ) {
    const space = content.indexOf(32, at);
    const length = Number(content.toString('latin1', at, space));
    if (space < 0 || !Number.isInteger(length) || length < 1) break;
    const [key = '', ...value] = content.toString('utf8', space + 1, at + length - 1).split('=');
    if (key === 'path') fields.name = value.join('=');
    if (key === 'size') fields.length = Number(value.join('='));
    at += length;
  }
  return fields;
}
