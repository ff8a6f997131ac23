import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Header, pack } from 'tar-stream';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type ArchiveEntry, type ArchiveOptions, readArchive } from '../../src/image/archive.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'eidos-archives-'));
});
afterAll(() => rm(folder, { recursive: true }));

async function writeArchive(
  path: string,
  entries: readonly (Partial<Header> & { name: string; bytes?: Uint8Array })[],
): Promise<void> {
  const archive = pack();
  for (const { bytes, ...header } of entries) {
    if (bytes === undefined) archive.entry(header);
    else archive.entry(header, Buffer.from(bytes));
  }
  archive.finalize();
  const pieces: Uint8Array[] = [];
  for await (const piece of archive) pieces.push(piece as Uint8Array);
  await writeFile(path, Buffer.concat(pieces));
}

async function entriesOf(path: string, options?: ArchiveOptions): Promise<ArchiveEntry[]> {
  const entries: ArchiveEntry[] = [];
  for await (const entry of readArchive(path, options)) entries.push(entry);
  return entries;
}

describe('archives', () => {
  const long = new Uint8Array(100_000).map((_, i) => i % 251);

  test('give their files in order, without folders and links', async () => {
    const path = join(folder, 'two.tar');
    await writeArchive(path, [
      { name: 'folder/', type: 'directory' },
      { name: 'folder/a.bin', bytes: long },
      { name: 'link.bin', type: 'symlink', linkname: '/etc/hostname' },
      { name: './b.bin', bytes: Uint8Array.of(1, 2) },
    ]);
    const entries = await entriesOf(path);
    expect(entries.map(({ name }) => name)).toEqual(['folder/a.bin', 'b.bin']);
    expect(Buffer.compare(entries[0]!.bytes, long)).toBe(0);
    expect([...entries[1]!.bytes]).toEqual([1, 2]);
  });

  test('pass over what is not wanted, however large', async () => {
    const path = join(folder, 'wanted.tar');
    await writeArchive(path, [
      { name: 'large.bin', bytes: long },
      { name: './small.bin', bytes: Uint8Array.of(3) },
    ]);
    const wants = (name: string) => name === 'small.bin';
    expect((await entriesOf(path, { wants, maxBytes: 10 })).map(({ name }) => name)).toEqual(['small.bin']);
    await expect(entriesOf(path, { maxBytes: 10 })).rejects.toMatchObject({
      code: 'image_too_large',
      message: expect.stringContaining('large.bin'),
    });
  });

  test('may be left before their end', async () => {
    const path = join(folder, 'left.tar');
    await writeArchive(path, [
      { name: 'a', bytes: long },
      { name: 'b', bytes: long },
    ]);
    for await (const { name } of readArchive(path)) {
      expect(name).toBe('a');
      break;
    }
  });

  test('that are missing, no archives or cut off are errors that name them', async () => {
    const missing = join(folder, 'none.tar');
    await expect(entriesOf(missing)).rejects.toMatchObject({
      code: 'not_found',
      message: expect.stringContaining(missing),
    });
    const noise = join(folder, 'noise.tar');
    await writeFile(noise, Buffer.alloc(2048, 'no archive'));
    await expect(entriesOf(noise)).rejects.toMatchObject({ code: 'invalid_option' });
    const cut = join(folder, 'cut.tar');
    await writeArchive(cut, [{ name: 'a.bin', bytes: new Uint8Array(5000) }]);
    await writeFile(cut, (await readFile(cut)).subarray(0, 3000));
    for (const wants of [() => true, () => false]) {
      await expect(entriesOf(cut, { wants })).rejects.toMatchObject({ code: 'invalid_option' });
    }
  });
});
