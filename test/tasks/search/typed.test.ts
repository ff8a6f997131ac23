/** Queries as people type them, in the library, over HTTP and on the command line. The last part needs the build. */
import { existsSync } from 'node:fs';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Clip } from '../../../src/clip/clip.ts';
import { loadClip } from '../../../src/clip/load.ts';
import { createApp, type ServerApp } from '../../../src/server/app.ts';
import { openIndex, type SearchAnswer, type SearchIndex } from '../../../src/tasks/search/index.ts';
import { commandLine, printedLines, runEidos } from '../../command.ts';
import { writeTinyModel } from '../../tiny-model.ts';
import { temporaryFolder, writePictures } from './pictures.ts';

interface Case {
  typed: string;
  means: { text: string; weight: number }[];
}

const file = fileURLToPath(new URL('../../../../shared/field/queries.json', import.meta.url));
const fromTheField: Case[] = existsSync(file) ? (JSON.parse(await readFile(file, 'utf8')) as Case[]) : [];

const others: Case[] = [
  { typed: 'a 4:3 screen', means: [{ text: 'a 4:3 screen', weight: 1 }] },
  { typed: '2:1 panorama', means: [{ text: '2:1 panorama', weight: 1 }] },
  { typed: '‹red +green› lamp', means: [{ text: 'red +green lamp', weight: 1 }] },
  {
    typed: 'street ‑people',
    means: [
      { text: 'street', weight: 1 },
      { text: 'people', weight: -1 },
    ],
  },
  { typed: 'the cat´s tail', means: [{ text: "the cat's tail", weight: 1 }] },
  { typed: 'a\u2060 dog\u200d', means: [{ text: 'a dog', weight: 1 }] },
  {
    typed: '-cat -dog +2:beach',
    means: [
      { text: 'cat', weight: -1 },
      { text: 'dog', weight: -1 },
      { text: 'beach', weight: 2 },
    ],
  },
];

let folder: string;
let model: string;
let clip: Clip;
let index: SearchIndex;
let app: ServerApp;
beforeAll(async () => {
  folder = await temporaryFolder();
  model = await writeTinyModel();
  clip = await loadClip(model);
  await writePictures(folder, Object.fromEntries(Array.from({ length: 8 }, (_, i) => [`p/${i}.png`, i])));
  const path = join(folder, 'index');
  index = await openIndex(path, { clip, create: true });
  await index.sync([join(folder, 'p')]);
  app = await createApp({ clip, openIndex: (shared) => openIndex(path, { clip: shared }) });
});
afterAll(async () => {
  await app.close();
  await index.close();
  await clip.close();
  await rm(folder, { recursive: true });
  await rm(model, { recursive: true });
});

const everything = { cutOff: false, topK: 100 } as const;

type Found = Pick<SearchAnswer['hits'][number], 'image' | 'similarity'>[];

/** The same pictures in the same order, with the same cosines. */
function expectSame(found: Found, wanted: Found): void {
  expect(found.map(({ image }) => image)).toEqual(wanted.map(({ image }) => image));
  for (const [i, { similarity }] of found.entries()) {
    expect(Math.abs(similarity - wanted[i]!.similarity)).toBeLessThan(1e-5);
  }
}

describe.each([...fromTheField, ...others])('$typed', ({ typed, means }) => {
  test('is searched as it is meant', async () => {
    const wanted = await index.search({ parts: means }, everything);
    expectSame((await index.search(typed, everything)).hits, wanted.hits);
    const query = new URLSearchParams({ q: typed, topK: '100', cutOff: 'false' });
    const got = await app.fetch(new Request(`http://localhost/v1/search?${query}`));
    expectSame(((await got.json()) as SearchAnswer).hits, wanted.hits);
    const posted = await app.fetch(
      new Request('http://localhost/v1/search', {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ q: typed, ...everything }),
      }),
    );
    expectSame(((await posted.json()) as SearchAnswer).hits, wanted.hits);
  });
});

describe.skipIf(!existsSync(commandLine))('on the command line', () => {
  test.each([
    ...fromTheField.filter(({ typed }) => /^-|“|\u200b|16:9/.test(typed)).slice(0, 4),
    ...others.filter(({ typed }) => typed.startsWith('-')),
  ])('$typed', async ({ typed, means }) => {
    const { stdout, stderr } = runEidos(folder, [
      'search',
      typed,
      '--index',
      'index',
      '--all',
      '--json',
      '-k',
      '100',
    ]);
    expect(stderr).toBe('');
    expectSame(
      printedLines(stdout) as unknown as Found,
      (await index.search({ parts: means }, everything)).hits,
    );
  });
});
