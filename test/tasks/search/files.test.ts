import { chmod, mkdir, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readFacts } from '../../../src/image/facts.ts';
import { filterRows } from '../../../src/tasks/search/query/filters.ts';
import type { Snapshot } from '../../../src/tasks/search/snapshot/snapshot.ts';
import type { PictureRow, UnreadableRow } from '../../../src/tasks/search/store/rows.ts';
import { readCameraNotes } from '../../../src/tasks/search/sync/exif.ts';
import { planSync } from '../../../src/tasks/search/sync/plan.ts';
import { pathBytes, scanFolders } from '../../../src/tasks/search/sync/scan.ts';
import type { Filters } from '../../../src/tasks/search/types.ts';
import { pictureBytes, temporaryFolder, writePictures } from './pictures.ts';

let folder: string;
beforeAll(async () => {
  folder = await temporaryFolder();
});
afterAll(async () => {
  await rm(folder, { recursive: true });
});

const usual = { hidden: false, followLinks: false, exclude: [] as string[] };

describe('scanFolders', () => {
  test('hidden, excluded, linked and looping folders; files that are no pictures by name', async () => {
    const root = join(folder, 'scan');
    await writePictures(root, {
      'a.png': 1,
      'B.JPG': 2,
      'deep/er/c.webp': 3,
      '.hidden/d.png': 4,
      '.e.png': 5,
      'drafts/f.png': 6,
      'deep/drafts/g.png': 7,
    });
    await writeFile(join(root, 'notes.txt'), 'x');
    await mkdir(join(folder, 'elsewhere'));
    await writePictures(join(folder, 'elsewhere'), { 'h.png': 8 });
    await symlink(root, join(root, 'deep', 'loop'));
    await symlink(join(folder, 'elsewhere'), join(root, 'linked'));
    await symlink(join(root, 'a.png'), join(root, 'same.png'));
    await symlink(join(root, 'nowhere.png'), join(root, 'broken.png'));
    const names = async (options: Partial<typeof usual>): Promise<string[]> =>
      (await scanFolders([{ path: root, ...usual, ...options }]))
        .map(({ path }) => path.slice(root.length + 1))
        .sort();
    const plain = ['B.JPG', 'a.png', 'deep/drafts/g.png', 'deep/er/c.webp', 'drafts/f.png', 'same.png'];
    expect(await names({})).toEqual(plain);
    expect(await names({ exclude: ['drafts'] })).toEqual(plain.filter((name) => !name.includes('drafts')));
    expect(await names({ exclude: ['/drafts'] })).toEqual(plain);
    expect(await names({ hidden: true })).toEqual([...plain, '.e.png', '.hidden/d.png'].sort());
    expect(await names({ followLinks: true })).toEqual([...plain, 'linked/h.png'].sort());
  });

  test.skipIf(process.platform !== 'linux')('names that are no UTF-8 can be shown, and opened', async () => {
    const root = join(folder, 'bytes');
    await mkdir(root);
    const name = Buffer.concat([Buffer.from(`${root}/caf`), Buffer.from([0xe9]), Buffer.from(' ü.png')]);
    await writeFile(name, await pictureBytes(1));
    const [file] = await scanFolders([{ path: root, ...usual }]);
    expect(file!.path).toBe(`${root}/caf\\xE9 ü.png`);
    expect(pathBytes(file!)).toEqual(name);
  });

  test('a folder that was named must be there; one inside that cannot be read is passed over', async () => {
    await expect(scanFolders([{ path: join(folder, 'missing'), ...usual }])).rejects.toMatchObject({
      code: 'not_found',
      message: expect.stringContaining('--forget'),
    });
    const root = join(folder, 'locked');
    await writePictures(root, { 'a.png': 1, 'inner/b.png': 2 });
    await chmod(join(root, 'inner'), 0);
    const locked: string[] = [];
    const found = await scanFolders([{ path: root, ...usual }], { onLocked: (path) => locked.push(path) });
    await chmod(join(root, 'inner'), 0o755);
    expect(found.map(({ path }) => path)).toContain(join(root, 'a.png'));
    // Whoever runs this as root may read everything.
    expect([...locked, ...found.map(({ path }) => path)].some((path) => path.includes('inner'))).toBe(true);
  });
});

test('a plan leads from any state of the store to exactly the files', () => {
  const path = fc.constantFrom('a', 'b', 'c', 'd');
  const state = fc.record({ path, modified: fc.integer({ min: 1, max: 3 }) });
  fc.assert(
    fc.property(
      fc.array(state, { maxLength: 6 }),
      fc.uniqueArray(state, { selector: ({ path }) => path }),
      fc.uniqueArray(state, { selector: ({ path }) => path }),
      (stored, broken, files) => {
        const rows = stored.map((row, i) => ({ ...row, id: `${i}`, size: 1 }) as PictureRow);
        const failures = broken.map((row) => ({ ...row, size: 1 }) as UnreadableRow);
        const plan = planSync(
          rows,
          failures,
          files.map((file) => ({ ...file, raw: null, size: 1 })),
        );
        const leaving = new Set([...plan.doubled, ...plan.gone].map(({ id }) => id));
        const staying = rows.filter(({ id }) => !leaving.has(id)).map((row) => row.path);
        const covered = new Set([
          ...staying,
          ...plan.toRead.map(({ file }) => file.path),
          ...plan.stillUnreadable.map((row) => row.path),
        ]);
        expect([...covered].sort()).toEqual(files.map((file) => file.path).sort());
        expect(new Set(staying).size).toBe(staying.length);
        expect(plan.unchanged + plan.toRead.length + plan.stillUnreadable.length).toBe(files.length);
      },
    ),
    { endOnFailure: true },
  );
});

describe('what cannot be looked at', () => {
  const row = (path: string) => ({ id: path, path, size: 1, modified: 1 }) as PictureRow;
  const failure = (path: string, code: string) =>
    ({ ...row(path), raw: null, code }) as UnreadableRow & PictureRow;
  const file = (path: string) => ({ path, raw: null, size: 1, modified: 1 });

  test('a locked folder keeps its pictures, one that is gone does not', () => {
    const rows = ['/p/in/a.png', '/p/inside.png', '/p/b.png', '/p/c.png'].map(row);
    const plan = planSync(
      rows,
      [failure('/p/in/x.png', 'invalid_image')],
      [file('/p/b.png')],
      ['/p/in', '/p/c.png'],
    );
    expect(plan.gone.map(({ path }) => path)).toEqual(['/p/inside.png']);
    expect(plan.stillUnreadable.map(({ path }) => path)).toEqual(['/p/in/x.png']);
    expect(plan.forgetUnreadable).toEqual([]);
  });

  test('what could not be opened is tried again, broken bytes only when they change', () => {
    const failures = [failure('/p/a.png', 'not_found'), failure('/p/b.png', 'invalid_image')];
    const plan = planSync([], failures, [file('/p/a.png'), file('/p/b.png')]);
    expect(plan.toRead.map((read) => read.file.path)).toEqual(['/p/a.png']);
    expect(plan.stillUnreadable.map(({ path }) => path)).toEqual(['/p/b.png']);
  });
});

describe('what cameras note', () => {
  test('is read from the file, sides after turning', async () => {
    const bytes = await sharp({ create: { width: 40, height: 20, channels: 3, background: 'red' } })
      .withExif({
        IFD0: { Make: 'Leica Camera AG', Model: 'M10', ImageDescription: 'gulls at the harbour' },
        IFD2: { DateTimeOriginal: '2024:05:31 12:30:05' },
      })
      .withMetadata({ orientation: 6 })
      .jpeg()
      .toBuffer();
    const { exif, ...facts } = await readFacts(bytes, 'x');
    expect(facts).toEqual({ width: 20, height: 40 });
    expect(readCameraNotes(exif)).toEqual({
      camera: 'Leica Camera AG M10',
      caption: 'gulls at the harbour',
      taken: Date.UTC(2024, 4, 31, 12, 30, 5),
    });
  });

  const digits = (value: number, length = 2): string => String(value).padStart(length, '0');
  /** A picture whose EXIF has these texts as DateTimeOriginal, DateTimeDigitized and DateTime. */
  const taken = async (original?: string, digitized?: string, changed?: string): Promise<number | null> => {
    const bytes = await sharp({ create: { width: 4, height: 4, channels: 3, background: 'red' } })
      .withExif({
        IFD0: { Model: 'M10', ...(changed === undefined ? {} : { DateTime: changed }) },
        IFD2: {
          ...(original === undefined ? {} : { DateTimeOriginal: original }),
          ...(digitized === undefined ? {} : { DateTimeDigitized: digitized }),
        },
      })
      .jpeg()
      .toBuffer();
    return readCameraNotes((await readFacts(bytes, 'x')).exif).taken;
  };

  test('the first date that is one counts, and days that do not exist are none', async () => {
    const [first, second, third] = ['2018:01:02 03:04:05', '2017:03:04 05:06:07', '2016:03:04 05:06:07'];
    const zeros = '0000:00:00 00:00:00';
    expect(await taken(first, second, third)).toBe(Date.UTC(2018, 0, 2, 3, 4, 5));
    expect(await taken(undefined, second, third)).toBe(Date.UTC(2017, 2, 4, 5, 6, 7));
    expect(await taken(zeros, undefined, third)).toBe(Date.UTC(2016, 2, 4, 5, 6, 7));
    expect(await taken(zeros, '    :  :     :  :  ', third)).toBe(Date.UTC(2016, 2, 4, 5, 6, 7));
    for (const none of [
      '2018:02:31 10:00:00',
      '2023:02:29 10:00:00',
      '2018:04:31 10:00:00',
      '2018:05:01 24:00:00',
    ]) {
      expect(await taken(none)).toBeNull();
    }
    expect(await taken('2024:02:29 23:59:59')).toBe(Date.UTC(2024, 1, 29, 23, 59, 59));
  });

  test('every day of the calendar is read, and no other', async () => {
    const any = fc.tuple(
      fc.integer({ min: 1, max: 9999 }),
      fc.integer({ min: 0, max: 13 }),
      fc.integer({ min: 0, max: 32 }),
    );
    await fc.assert(
      fc.asyncProperty(any, async ([year, month, day]) => {
        const days = [
          31,
          year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0) ? 29 : 28,
          31,
          30,
          31,
          30,
          31,
          31,
          30,
          31,
          30,
          31,
        ];
        const exists = day >= 1 && day <= (days[month - 1] ?? 0);
        const found = await taken(`${digits(year, 4)}:${digits(month)}:${digits(day)} 01:02:03`);
        const wanted = `${digits(year, 4)}-${digits(month)}-${digits(day)}T01:02:03.000Z`;
        expect(found === null ? undefined : new Date(found).toISOString()).toBe(exists ? wanted : undefined);
      }),
      { numRuns: 60, examples: [[[2018, 2, 31]], [[2000, 2, 29]], [[1900, 2, 29]]] },
    );
  });

  test('a picture without a date has the day that its file has here', () => {
    const zone = process.env.TZ;
    process.env.TZ = 'Pacific/Auckland';
    try {
      // One o'clock in the morning of the first of June there.
      const snapshot = { count: 1, taken: [Number.NaN], modified: [Date.UTC(2024, 4, 31, 13)] };
      const passes = (filters: Filters): boolean =>
        filterRows(snapshot as unknown as Snapshot, filters)?.[0] === 1;
      expect(passes({ after: '2024-06-01' })).toBe(true);
      expect(passes({ before: '2024-05-31' })).toBe(false);
      expect(passes({ after: '2024-05-31T12:59:59Z', before: '2024-05-31T13:00:00Z' })).toBe(true);
      expect(passes({ after: '2024-05-31T13:00:01Z' })).toBe(false);
    } finally {
      if (zone === undefined) delete process.env.TZ;
      else process.env.TZ = zone;
    }
  });

  test('of no use or damaged, it is nothing, and never a failure', async () => {
    expect(readCameraNotes(undefined)).toEqual({ camera: null, caption: null, taken: null });
    const { exif } = await readFacts(
      await sharp({ create: { width: 4, height: 4, channels: 3, background: 'red' } })
        .withExif({
          IFD0: { Make: 'Canon', Model: 'Canon EOS R5' },
          IFD2: { DateTimeOriginal: '0000:00:00 00:00:00' },
        })
        .jpeg()
        .toBuffer(),
      'x',
    );
    expect(readCameraNotes(exif)).toEqual({ camera: 'Canon EOS R5', caption: null, taken: null });
    fc.assert(
      fc.property(fc.nat(exif!.length - 1), fc.nat(255), fc.nat(exif!.length), (at, value, end) => {
        const damaged = Uint8Array.from(exif!);
        damaged[at] = value;
        readCameraNotes(damaged.subarray(0, end));
      }),
      { endOnFailure: true },
    );
  });
});
