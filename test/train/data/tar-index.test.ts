import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { readTarIndex } from '../../../src/train/data/tar-index.ts';
import { tar, temporaryFolder } from './tiny-data.ts';

const folder = temporaryFolder();
const write = async (bytes: Uint8Array): Promise<string> => {
  const path = join(folder.path, 'shard.tar');
  await writeFile(path, bytes);
  return path;
};

describe('the index of a shard', () => {
  test('says where each file lies, whatever its name and size', async () => {
    const name = fc
      .string({ unit: fc.constantFrom('a', 'ö', '/', '.', ' '), minLength: 1, maxLength: 300 })
      .map((text) => `x${text.replaceAll('/', 'd/')}y`);
    const files = fc.dictionary(name, fc.uint8Array({ maxLength: 1500 }), {
      minKeys: 1,
      maxKeys: 5,
      noNullPrototype: true,
    });
    await fc.assert(
      fc.asyncProperty(files, async (contents) => {
        const path = await write(await tar(contents));
        const { members, cutOffAt } = await readTarIndex(path);
        const bytes = await readFile(path);
        expect(cutOffAt).toBeUndefined();
        expect(
          members.map(({ name, offset, length }) => [name, [...bytes.subarray(offset, offset + length)]]),
        ).toEqual(Object.entries(contents).map(([name, content]) => [name, [...content]]));
      }),
      { endOnFailure: true, numRuns: 40 },
    );
  });

  test('ends where the file ends too early', async () => {
    const whole = await tar({ 'a.png': new Uint8Array(700), 'b.png': new Uint8Array(700) });
    const { members, cutOffAt } = await readTarIndex(await write(whole.subarray(0, 2300)));
    expect(members.map(({ name }) => name)).toEqual(['a.png']);
    expect(cutOffAt).toBe(1536);
    expect((await readTarIndex(await write(new Uint8Array(0)))).cutOffAt).toBe(0);
  });

  test('of something else is an error that names the file', async () => {
    await expect(readTarIndex(await write(new Uint8Array(2048).fill(7)))).rejects.toMatchObject({
      code: 'invalid_option',
      message: expect.stringContaining('shard.tar'),
    });
    await expect(readTarIndex(join(folder.path, 'none.tar'))).rejects.toMatchObject({
      code: 'not_found',
      message: expect.stringContaining('none.tar'),
    });
  });

  test('goes on past lengths that would lead back or nowhere', async () => {
    const whole = await tar({ 'a.png': new Uint8Array(10) });
    const withFields = (fields: string): Buffer => {
      const header = Buffer.from(whole.subarray(0, 512));
      header.write('x', 156);
      header.write(`${fields.length.toString(8).padStart(11, '0')}\0`, 124);
      header.fill(' ', 148, 156);
      const sum = header.reduce((total, byte) => total + byte, 0);
      header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
      const content = Buffer.alloc(512);
      content.write(fields);
      return Buffer.concat([header, content, whole]);
    };
    const named = await readTarIndex(await write(withFields('14 path=b.png\n')));
    expect(named.members.map(({ name }) => name)).toEqual(['b.png']);
    expect(await readTarIndex(await write(withFields('14 size=-1536\n')))).toEqual({
      members: [],
      cutOffAt: 1024,
    });
    const tiny = await readTarIndex(await write(withFields('1e-300 path=b.png\n')));
    expect(tiny.members.map(({ name }) => name)).toEqual(['a.png']);
  });

  test('never throws anything but its own errors on damaged shards', async () => {
    const whole = await tar({ 'a.png': new Uint8Array(100), [`${'b'.repeat(200)}.png`]: new Uint8Array(10) });
    await fc.assert(
      fc.asyncProperty(fc.nat(whole.length - 1), fc.nat(255), async (at, value) => {
        const damaged = Buffer.from(whole);
        damaged[at] = value;
        try {
          for (const { offset, length } of (await readTarIndex(await write(damaged))).members)
            expect(offset + length).toBeLessThanOrEqual(damaged.length);
        } catch (error) {
          expect(error).toMatchObject({ name: 'EidosError' });
        }
      }),
      { endOnFailure: true, numRuns: 100 },
    );
  });
});
