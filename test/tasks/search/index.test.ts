import { chmod, mkdir, readdir, readFile, rename, rm, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Clip } from '../../../src/clip/clip.ts';
import { loadClip } from '../../../src/clip/load.ts';
import { openIndex, type SearchIndex } from '../../../src/tasks/search/index.ts';
import { writeTinyModel } from '../../tiny-model.ts';
import { pictureBytes, temporaryFolder, writePictures } from './pictures.ts';

let folder: string;
let model: string;
let clip: Clip;

beforeAll(async () => {
  folder = await temporaryFolder();
  model = await writeTinyModel();
  clip = await loadClip(model);
});
afterAll(async () => {
  await clip.close();
  await rm(folder, { recursive: true });
  await rm(model, { recursive: true });
});

/** A folder of pictures with an index beside it. */
async function indexed(
  name: string,
  pictures: Readonly<Record<string, number>>,
): Promise<{ root: string; path: string; index: SearchIndex }> {
  const root = join(folder, name);
  const path = join(folder, `${name}.index`);
  await writePictures(root, pictures);
  const index = await openIndex(path, { clip, create: true });
  await index.sync([root]);
  return { root, path, index };
}

const everything = { cutOff: false, topK: 100 } as const;

async function namesOf(index: SearchIndex, root: string): Promise<string[]> {
  const { pictures } = await index.pictures();
  return pictures.map(({ image }) => image.slice(root.length + 1)).sort();
}

describe('sync', () => {
  test('follows what is new, changed, moved, copied, touched and deleted, and keeps ids', async () => {
    const { root, index } = await indexed('follow', { 'a.png': 1, 'b.png': 2, 'c/d.png': 3, 'e.png': 4 });
    const idOf = async (name: string): Promise<string | undefined> =>
      (await index.pictures()).pictures.find(({ image }) => image === join(root, name))?.id;
    expect(await index.sync()).toMatchObject({ added: 0, changed: 0, moved: 0, removed: 0, unchanged: 4 });
    const { version } = await index.info();
    const before = { a: await idOf('a.png'), d: await idOf('c/d.png'), e: await idOf('e.png') };

    await writeFile(join(root, 'a.png'), await pictureBytes(11, { width: 30 }));
    await rename(join(root, 'c'), join(root, 'moved'));
    await rm(join(root, 'b.png'));
    await writeFile(join(root, 'copy.png'), await readFile(join(root, 'e.png')));
    await utimes(join(root, 'e.png'), 1, 1);
    await writePictures(root, { 'new.png': 5 });
    expect(await index.sync()).toMatchObject({
      added: 2,
      changed: 1,
      moved: 1,
      removed: 1,
      unchanged: 1,
      pictures: 5,
    });
    expect(await namesOf(index, root)).toEqual(['a.png', 'copy.png', 'e.png', 'moved/d.png', 'new.png']);
    expect({ a: await idOf('a.png'), d: await idOf('moved/d.png'), e: await idOf('e.png') }).toEqual(before);
    expect((await index.info()).version).toBeGreaterThan(version);
    expect(await index.sync()).toMatchObject({ added: 0, changed: 0, moved: 0, removed: 0, unchanged: 5 });
    await index.close();
  });

  test('a copy kept before its original is changed, and names that change places, keep their own embeddings', async () => {
    const { root, index } = await indexed('copies', { 'a.png': 1, 'b.png': 2, 'c.png': 3 });
    await rename(join(root, 'a.png'), join(root, 'a-before.png'));
    await writeFile(join(root, 'a.png'), await pictureBytes(11, { width: 30 }));
    await rename(join(root, 'b.png'), join(root, 'aside'));
    await rename(join(root, 'c.png'), join(root, 'b.png'));
    await rename(join(root, 'aside'), join(root, 'c.png'));
    for (const [name, time] of [
      ['b.png', 1],
      ['c.png', 2],
    ] as const) {
      await utimes(join(root, name), time, time);
    }
    expect(await index.sync()).toMatchObject({ added: 1, changed: 3, pictures: 4 });
    for (const name of ['a.png', 'a-before.png', 'b.png', 'c.png']) {
      const [best] = (await index.search({ image: join(root, name) }, everything)).hits;
      expect(best!.image).toBe(join(root, name));
      expect(best!.similarity).toBeCloseTo(1, 4);
    }
    await index.close();
  });

  test('lists what cannot be read, and tries it again when it changes', async () => {
    const { root, index } = await indexed('broken', { 'a.png': 1 });
    await writeFile(join(root, 'empty.jpg'), '');
    await writeFile(join(root, 'text.png'), 'no picture');
    await writeFile(join(root, 'a.png'), (await pictureBytes(1)).subarray(0, 60));
    const report = await index.sync();
    expect(report).toMatchObject({ added: 0, removed: 1, pictures: 0 });
    const unreadable = await index.unreadable();
    expect(report.unreadable).toEqual(unreadable);
    expect(unreadable.map(({ image, error }) => [image.slice(root.length + 1), error.code]).sort()).toEqual([
      ['a.png', 'invalid_image'],
      ['empty.jpg', 'invalid_image'],
      ['text.png', 'invalid_image'],
    ]);
    expect((await index.sync()).unreadable).toHaveLength(3);
    await writeFile(join(root, 'text.png'), await pictureBytes(7));
    await rm(join(root, 'empty.jpg'));
    expect(await index.sync()).toMatchObject({
      added: 1,
      pictures: 1,
      unreadable: [{ image: join(root, 'a.png') }],
    });
    expect(await index.info()).toMatchObject({ pictures: 1, unreadable: 1, folders: [root] });
    await index.close();
  });

  test.skipIf(process.getuid?.() === 0)(
    'names a folder that may not be looked into, and keeps it',
    async () => {
      const { root, index } = await indexed('closed', { 'a.png': 1, 'inner/b.png': 2 });
      await chmod(join(root, 'inner'), 0);
      const report = await index.sync();
      await chmod(join(root, 'inner'), 0o755);
      expect(report).toMatchObject({ removed: 0, pictures: 2, unreadable: [{ image: join(root, 'inner') }] });
      expect((await index.sync()).unreadable).toEqual([]);
      await index.close();
    },
  );

  test('of a folder that is gone removes nothing; forgetting it does', async () => {
    const { root, path, index } = await indexed('gone', { 'a.png': 1 });
    const other = join(folder, 'staying');
    await writePictures(other, { 'b.png': 2 });
    await index.sync([other]);
    await rename(root, `${root}.away`);
    await expect(index.sync()).rejects.toMatchObject({ code: 'not_found' });
    expect((await index.info()).pictures).toBe(2);
    await expect(index.forget(['/no/such'])).rejects.toMatchObject({ code: 'not_found' });
    expect(await index.forget([root])).toBe(1);
    expect(await index.sync()).toMatchObject({ pictures: 1 });
    await index.close();
    await expect(index.search('x')).rejects.toMatchObject({ code: 'closed' });
    await expect(openIndex(join(path, 'nothing'))).rejects.toMatchObject({ code: 'not_found' });
    await expect(
      openIndex(other, { clip, create: true }).then((made) => made.sync([other])),
    ).rejects.toMatchObject({
      code: 'invalid_option',
    });
  });

  test('aborted, keeps what is done and goes on from there', async () => {
    const root = join(folder, 'abort');
    await writePictures(root, Object.fromEntries(Array.from({ length: 12 }, (_, i) => [`${i}.png`, i])));
    const index = await openIndex(join(folder, 'abort.index'), { clip, create: true });
    const stop = new AbortController();
    const sync = index.sync([root], {
      batchSize: 2,
      signal: stop.signal,
      onProgress: ({ stage, done }) => {
        if (stage === 'embed' && done >= 4) stop.abort();
      },
    });
    await expect(sync).rejects.toMatchObject({ code: 'aborted' });
    const { pictures } = await index.info();
    expect(pictures).toBeGreaterThanOrEqual(2);
    expect(pictures).toBeLessThan(12);
    expect(await index.sync()).toMatchObject({ added: 12 - pictures, unchanged: pictures, pictures: 12 });
    await index.close();
  });

  test('watching takes in what comes and goes', async () => {
    const { root, index } = await indexed('watched', { 'a.png': 1 });
    const reports: number[] = [];
    let wake = (): void => {};
    const watcher = await index.watch([], {
      settle: 30,
      onSync: ({ pictures }) => {
        reports.push(pictures);
        wake();
      },
    });
    const until = async (pictures: number): Promise<void> => {
      while (reports.at(-1) !== pictures) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    };
    await writePictures(root, { 'new/b.png': 2 });
    await until(2);
    await rm(join(root, 'a.png'));
    await until(1);
    await watcher.close();
    expect(await namesOf(index, root)).toEqual(['new/b.png']);
    await index.close();
  });

  test('an index inside of a folder that is watched does not call for syncs without end', async () => {
    const root = join(folder, 'inside');
    await writePictures(root, { 'a.png': 1 });
    const index = await openIndex(join(root, '.index'), { clip, create: true });
    let syncs = 0;
    const watcher = await index.watch([root], {
      hidden: true,
      settle: 10,
      onProgress: ({ stage }) => {
        syncs += Number(stage === 'scan');
      },
    });
    await writePictures(root, { 'b.png': 2 });
    while ((await index.info()).pictures < 2) await new Promise((resolve) => setTimeout(resolve, 20));
    const before = syncs;
    await new Promise((resolve) => setTimeout(resolve, 500));
    await watcher.close();
    // One may still have been on its way; without end there would be one every few hundredths of a second.
    expect(syncs - before).toBeLessThanOrEqual(2);
    await index.close();
  });

  test('two at once leave every picture once', async () => {
    const root = join(folder, 'two');
    const path = join(folder, 'two.index');
    await writePictures(root, Object.fromEntries(Array.from({ length: 10 }, (_, i) => [`${i}.png`, i])));
    const both = await Promise.all([1, 2].map(() => openIndex(path, { clip, create: true })));
    const reports = await Promise.all(
      both.map((index) => index.sync([root], { commitEvery: 2, batchSize: 2 })),
    );
    expect(reports.map(({ added }) => added).sort((a, b) => a - b)).toEqual([0, 10]);
    for (const index of both) expect(await namesOf(index, root)).toHaveLength(10);
    await Promise.all(both.map((index) => index.close()));
  });
});

describe('search', () => {
  let index: SearchIndex;
  let root: string;
  let path: string;
  beforeAll(async () => {
    const pictures = Object.fromEntries(Array.from({ length: 12 }, (_, i) => [`p${i}.png`, i]));
    ({ index, root, path } = await indexed('search', { ...pictures, 'holiday/tall.png': 50 }));
    await writeFile(join(root, 'holiday/tall.png'), await pictureBytes(50, { width: 16, height: 32 }));
    await writeFile(
      join(root, 'holiday/noted.jpg'),
      await sharp({ create: { width: 40, height: 20, channels: 3, background: 'red' } })
        .withExif({
          IFD0: { Make: 'Leica', Model: 'M10', ImageDescription: 'gulls above the harbour' },
          IFD2: { DateTimeOriginal: '2024:05:31 23:30:05' },
        })
        .jpeg()
        .toBuffer(),
    );
    await index.sync();
  });
  afterAll(() => index.close());

  test('orders by the cosine that the model gives, and pages through it', async () => {
    const { hits, total } = await index.search('a photo of a dog', everything);
    const images = await clip.embedImages(hits.map(({ image }) => image));
    const cosines = clip.similarity(await clip.embedTexts('a photo of a dog'), images).data;
    expect(total).toBe(14);
    for (const [i, { similarity }] of hits.entries()) expect(similarity).toBeCloseTo(cosines[i]!, 5);
    expect([...cosines].sort((a, b) => b - a)).toEqual([...cosines]);
    const pages = await Promise.all(
      [0, 5, 10].map((offset) => index.search('a photo of a dog', { ...everything, topK: 5, offset })),
    );
    expect(pages.flatMap((page) => page.hits.map(({ id }) => id))).toEqual(hits.map(({ id }) => id));
  });

  test('a picture finds itself, similar ones leave it out, weights take away', async () => {
    const image = join(root, 'p3.png');
    const [best] = (await index.search({ image }, everything)).hits;
    expect(best).toMatchObject({ image });
    expect(best!.similarity).toBeCloseTo(1, 4);
    const alike = await index.similar(best!.id, everything);
    expect(alike.hits).toHaveLength(13);
    expect(alike.hits.map(({ id }) => id)).not.toContain(best!.id);
    const against = await index.search({ parts: [{ text: 'a dog' }, { image, weight: -3 }] }, everything);
    expect(against.hits.at(-1)!.image).toBe(image);
    await expect(index.similar('none')).rejects.toMatchObject({ code: 'not_found' });
    await expect(index.search({ image, parts: [{ image, weight: -1 }] })).rejects.toMatchObject({
      code: 'invalid_option',
    });
  });

  test('filters choose pictures and leave probabilities as they are', async () => {
    const all = new Map((await index.search('a dog', everything)).hits.map((hit) => [hit.image, hit]));
    for (const [filters, names] of [
      [{ path: 'holiday' }, ['holiday/noted.jpg', 'holiday/tall.png']],
      [{ orientation: 'portrait' }, ['holiday/tall.png']],
      [{ camera: 'leica' }, ['holiday/noted.jpg']],
      [{ after: '2024-05-31', before: '2024-05-31' }, ['holiday/noted.jpg']],
      [{ after: '2024-06', before: '2024-12' }, []],
      [{ minHeight: 17, maxWidth: 40 }, ['holiday/noted.jpg', 'holiday/tall.png']],
    ] as const) {
      const { hits, total } = await index.search('a dog', { ...everything, filters });
      expect(hits.map(({ image }) => image.slice(root.length + 1)).sort(), JSON.stringify(filters)).toEqual(
        names,
      );
      expect(total).toBe(names.length);
      for (const hit of hits) expect(hit).toEqual(all.get(hit.image));
    }
    for (const filters of [
      { after: 'yesterday' },
      { before: '2024-02-31' },
      { minWidth: -1 },
      { colour: 'red' },
    ]) {
      await expect(index.search('a dog', { filters: filters as object })).rejects.toMatchObject({
        code: 'invalid_option',
      });
    }
  });

  test('a cut-off leaves out what does not reach it', async () => {
    const { hits } = await index.search('a dog', everything);
    const { probability } = hits[3]!;
    const some = await index.search('a dog', { topK: 100, cutOff: probability - 1e-9 });
    expect(some).toMatchObject({ total: 4, nothingFits: false });
    const none = await index.search('a dog', { cutOff: 1 });
    expect(none).toMatchObject({ hits: [], total: 0, nothingFits: true });
    await expect(index.search('a dog', { cutOff: 2 })).rejects.toMatchObject({ code: 'invalid_option' });
    await expect(index.search('a dog', { topK: 0 })).rejects.toMatchObject({ code: 'invalid_option' });
    await expect(index.search('a dog', { topk: 1 } as object)).rejects.toThrow(/topk/);
  });

  test('names and captions count where they are asked to', async () => {
    for (const words of ['gulls', 'holiday tall']) {
      const [best] = (await index.search(words, { hybrid: true, cutOff: 1, topK: 3 })).hits;
      expect(best!.image, words).toBe(
        join(root, words === 'gulls' ? 'holiday/noted.jpg' : 'holiday/tall.png'),
      );
    }
  });

  test('near duplicates come in groups, whichever of them is larger first', async () => {
    const bytes = await pictureBytes(3);
    await mkdir(join(root, 'twice'));
    await writeFile(join(root, 'twice/p3.webp'), await sharp(bytes).webp({ lossless: true }).toBuffer());
    await index.sync();
    const groups = await index.duplicates({ similarity: 0.9999 });
    const wanted = [join(root, 'p3.png'), join(root, 'twice/p3.webp')];
    expect(groups.map(({ pictures }) => pictures.map(({ image }) => image).sort())).toContainEqual(wanted);
    await expect(index.duplicates({ similarity: 2 })).rejects.toMatchObject({ code: 'invalid_option' });
  });

  test('a picture finds words, its own bytes, and what is known of it', async () => {
    const { id } = (await index.search('x', { ...everything, filters: { camera: 'm10' } })).hits[0]!;
    expect(await index.picture(id)).toMatchObject({
      takenAt: '2024-05-31T23:30:05',
      camera: 'Leica M10',
      caption: 'gulls above the harbour',
      width: 40,
      height: 20,
      orientation: 'landscape',
    });
    expect(await index.picture('none')).toBeUndefined();
    expect(Buffer.from(await index.readPicture(id))).toEqual(await readFile(join(root, 'holiday/noted.jpg')));
    await expect(index.readPicture('../../etc/passwd')).rejects.toMatchObject({ code: 'not_found' });
    const words = await index.keywords({ id }, { vocabulary: ['dog', 'cat', 'red square'], topK: 2 });
    expect(words).toHaveLength(2);
    expect(words[0]!.similarity).toBeGreaterThanOrEqual(words[1]!.similarity);
    expect(await index.keywords(join(root, 'p1.png'), { language: 'de', topK: 3 })).toHaveLength(3);
    await expect(index.keywords({ id }, { vocabulary: [' '] })).rejects.toMatchObject({
      code: 'invalid_option',
    });
  });

  test('the copy is made again when it is missing or damaged, and another process’s changes are seen', async () => {
    const copies = join(path, 'copies');
    const before = await index.search('a dog', everything);
    for (const name of await readdir(copies)) await writeFile(join(copies, name), 'damaged');
    const second = await openIndex(path, { clip });
    expect(await second.search('a dog', everything)).toEqual(before);
    await writePictures(root, { 'late.png': 99 });
    await second.sync();
    expect((await index.search('a dog', everything)).total).toBe(before.total + 1);
    await second.close();
  });
});

describe('the model', () => {
  test('must be the one that the index was made with, until all is embedded with another', async () => {
    const { path, index } = await indexed('model', { 'a.png': 1, 'b.png': 2 });
    const ids = (await index.pictures()).pictures.map(({ id }) => id).sort();
    await index.close();
    const other = await writeTinyModel({ embeddingSize: 48 });
    const otherClip = await loadClip(other);
    expect(otherClip.config.fingerprint).not.toBe(clip.config.fingerprint);
    const foreign = await openIndex(path, { clip: otherClip });
    for (const attempt of [() => foreign.search('a dog'), () => foreign.sync()]) {
      await expect(attempt()).rejects.toMatchObject({
        code: 'model_mismatch',
        message: expect.stringContaining('--model'),
      });
    }
    await foreign.close();
    const again = await openIndex(path);
    expect(await again.sync([], { model: other })).toMatchObject({ added: 2, pictures: 2 });
    expect(await again.info()).toMatchObject({
      model: { fingerprint: otherClip.config.fingerprint },
      pictures: 2,
    });
    expect((await again.pictures()).pictures.map(({ id }) => id).sort()).toEqual(ids);
    expect((await again.search('a dog', everything)).hits).toHaveLength(2);
    await again.close();
    expect((await readdir(path)).filter((name) => name.startsWith('pictures_'))).toHaveLength(1);
    await otherClip.close();
    await rm(other, { recursive: true });
  });
});

describe('a damaged store', () => {
  test('is told as such, and never answered from', async () => {
    const { path, index } = await indexed('damaged', { 'a.png': 1, 'b.png': 2 });
    await index.close();
    await rm(join(path, 'copies'), { recursive: true });
    const [table] = (await readdir(path)).filter((name) => name.startsWith('pictures_'));
    const data = join(path, table!, 'data');
    for (const name of await readdir(data)) await writeFile(join(data, name), 'no such format');
    const broken = await openIndex(path, { clip });
    await expect(broken.search('a dog')).rejects.toMatchObject({ code: 'invalid_index' });
    await expect(broken.sync()).rejects.toMatchObject({ code: 'invalid_index' });
    await broken.close();
  });
});
