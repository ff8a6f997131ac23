/** Every way through the page, walked in a real browser. */
import type { Browser } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import {
  builtPage,
  canBrowse,
  dropPicture,
  openBrowser,
  patience,
  sizeOf,
  type Visit,
  visit,
} from './chromium.ts';
import { drawnPictures, type MockServer, startMockServer } from './mock-server.ts';

const pictures = drawnPictures(400);
let browser: Browser;
let server: MockServer;
let open: Visit | undefined;

const go = async (path = '', options = {}) => {
  open = await visit(browser, server, path, options);
  return open.page;
};
const searches = () => server.requests.filter(({ path }) => path === '/v1/search').map(({ body }) => body);

describe.skipIf(!canBrowse)('the page', patience, () => {
  beforeAll(async () => {
    browser = await openBrowser();
  });
  afterAll(() => browser.close());
  beforeEach(async () => {
    server = await startMockServer(builtPage, pictures);
  });
  afterEach(async () => {
    await open?.close();
    await server.close();
  });

  test('searches as one types, asks nobody else, and keeps the words in the address', async () => {
    const page = await go();
    await page.getByText('400 pictures, newest first').waitFor();
    await page.keyboard.press('/');
    await page.keyboard.type('a dog');
    await page.getByText('80 pictures fit, best first').waitFor();
    expect(await page.locator('main li img').first().getAttribute('alt')).toBe('A dog, number 1');
    expect(searches()).toContainEqual({ q: 'a dog', offset: 0, topK: 48 });
    expect(new URL(page.url()).search).toBe('?q=a+dog');
    await page.reload();
    await page.getByText('80 pictures fit, best first').waitFor();
    expect(await page.getByRole('searchbox').inputValue()).toBe('a dog');
    await page.getByRole('button', { name: 'Clear the search' }).click();
    await page.getByText('400 pictures, newest first').waitFor();
    expect(open!.complaints).toEqual([]);
  });

  test('finds by a dropped picture, made small before it is sent, alone and with words', async () => {
    const page = await go();
    await page.getByRole('searchbox').waitFor();
    await dropPicture(page, 'teal.png', [2000, 1000]);
    await page.getByText('100 pictures fit, best first').waitFor();
    const { image, q } = searches().at(-1) as { image: string; q?: string };
    expect(q).toBeUndefined();
    expect(image).toMatch(/^data:image\/jpeg;base64,/);
    expect(await sizeOf(page, image)).toEqual([640, 320]);
    await page.getByRole('searchbox').fill('dog');
    await page.getByText('80 pictures fit, best first').waitFor();
    expect(searches()).toContainEqual(expect.objectContaining({ q: 'dog', image }));
    await page.getByRole('button', { name: 'Remove the picture' }).click();
    await expect.poll(() => searches()).toContainEqual({ q: 'dog', offset: 0, topK: 48 });
    expect(open!.complaints).toEqual([]);
  });

  test('says which file is no picture', async () => {
    const page = await go();
    await page
      .locator('input[type=file]')
      .setInputFiles({ name: 'notes.txt', mimeType: 'text/plain', buffer: Buffer.from('no') });
    await page.getByText('notes.txt cannot be read as a picture').waitFor();
    expect(searches()).toEqual([]);
  });

  test('says that nothing fits, and shows the closest when asked', async () => {
    const page = await go('?q=zebra');
    await page.getByRole('heading', { name: 'Nothing here fits' }).waitFor();
    expect(await page.locator('main img').count()).toBe(0);
    await page.getByRole('button', { name: 'Show the closest anyway' }).click();
    await page.getByText('400 pictures, closest first').waitFor();
    expect(searches()).toContainEqual(expect.objectContaining({ q: 'zebra', cutOff: false }));
    await page.getByRole('button', { name: 'Only what fits' }).click();
    await page.getByRole('heading', { name: 'Nothing here fits' }).waitFor();
  });

  test('opens a picture with its words, facts and similar ones, and goes back to where one was', async () => {
    const page = await go('?q=beach');
    await page.getByRole('link', { name: /A beach, number 5 / }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByRole('heading', { name: 'beach-5.jpg' }).waitFor();
    await dialog.getByText('Example X100').waitFor();
    await dialog.getByText('May 30, 2024').waitFor();
    await dialog.getByRole('link', { name: /A beach, number 0 / }).waitFor();
    expect(await dialog.getByRole('link', { name: /Open the file/ }).getAttribute('href')).toMatch(
      /\/v1\/pictures\/p5\/file$/,
    );
    await page.keyboard.press('ArrowRight');
    await dialog.getByRole('heading', { name: 'beach-10.jpg' }).waitFor();
    await page.keyboard.press('ArrowLeft');
    await dialog.getByRole('heading', { name: 'beach-5.jpg' }).waitFor();
    await page.keyboard.press('Escape');
    await dialog.waitFor({ state: 'hidden' });
    expect(await page.getByRole('searchbox').inputValue()).toBe('beach');
    await expect.poll(() => page.evaluate(() => document.activeElement?.id)).toBe('picture-1');
    await page.goBack();
    await dialog.waitFor();
    await dialog.getByRole('button', { name: 'sky' }).click();
    await expect.poll(() => new URL(page.url()).search).toBe('?q=sky');
    expect(open!.complaints).toEqual([]);
  });

  test('says that a picture has left the index', async () => {
    const page = await go('?picture=p9999');
    await page.getByText('This picture is not in the index any more.').waitFor();
  });

  test('classifies dropped pictures, and the bars follow the labels', async () => {
    const page = await go('?view=classify');
    await page.getByRole('heading', { name: 'Drop pictures here' }).waitFor();
    await dropPicture(page, 'one.png');
    await dropPicture(page, 'two.png');
    const labels = page.getByLabel('What could it be?');
    await labels.fill('cat, elephant');
    const card = page.getByRole('listitem').filter({ has: page.getByRole('img', { name: 'one.png' }) });
    await card.getByText('elephant, 73%').waitFor();
    await labels.pressSequentially(', a very long label indeed');
    await card.getByText('a very long label indeed, 69%').waitFor();
    expect(await card.locator('ul li').allInnerTexts()).toHaveLength(3);
    await labels.fill('cat');
    await card.getByText('Write at least two labels to compare.').waitFor();
    await page.getByRole('button', { name: 'Remove one.png' }).click();
    await card.waitFor({ state: 'hidden' });
    // A look at the search does not lose what was dropped.
    await page.getByRole('link', { name: 'Search' }).click();
    await page.getByText('400 pictures').first().waitFor();
    await page.getByRole('link', { name: 'Classify' }).click();
    await page.getByRole('img', { name: 'two.png' }).waitFor();
    expect(open!.complaints).toEqual([]);
  });

  test('shows how far an update is, what it did, and what cannot be read', async () => {
    server.behaviour.unreadable = [
      { image: '/photographs/broken.jpg', error: { code: 'invalid_image', message: 'It ends too early.' } },
    ];
    let release = () => {};
    server.behaviour.beforeStep = (done) =>
      done === 2
        ? new Promise((resolve) => {
            release = resolve;
          })
        : Promise.resolve();
    const page = await go();
    await page.getByRole('button', { name: '400 pictures' }).click();
    const panel = page.getByRole('dialog');
    await panel.getByText('1 file cannot be read').click();
    await panel.getByText('It ends too early.').waitFor();
    await panel.getByRole('button', { name: 'Update now' }).click();
    await panel.getByText('2 of 4').waitFor();
    expect(await panel.getByRole('progressbar').getAttribute('aria-valuenow')).toBe('50');
    server.behaviour.pictures = drawnPictures(404);
    release();
    await panel.getByText('4 added, 1 changed, 2 removed.').waitFor();
    await page.getByRole('button', { name: '404 pictures' }).waitFor();
    await page.getByText('404 pictures, newest first').waitFor();
    expect(open!.complaints).toEqual([]);
  });

  test('an update can be stopped', async () => {
    server.behaviour.beforeStep = (done) => (done === 2 ? new Promise(() => {}) : Promise.resolve());
    const page = await go();
    await page.getByRole('button', { name: '400 pictures' }).click();
    await page.getByRole('button', { name: 'Update now' }).click();
    await page.getByText('2 of 4').waitFor();
    await page.getByRole('button', { name: 'Stop' }).click();
    await page.getByRole('button', { name: 'Update now' }).waitFor();
    expect(await page.getByRole('alert').count()).toBe(0);
  });

  test('waiting, failing and trying again', async () => {
    let release = () => {};
    server.behaviour.beforeAnswer = () =>
      new Promise((resolve) => {
        release = resolve;
      });
    server.behaviour.failing = 500;
    const page = await go('?q=dog');
    await page.getByRole('status', { name: 'Searching' }).waitFor();
    release();
    await page.getByText('The network could not be run.').waitFor();
    server.behaviour.beforeAnswer = async () => {};
    server.behaviour.failing = undefined;
    await page.getByRole('button', { name: 'Try again' }).click();
    await page.getByText('80 pictures fit').waitFor();
  });

  test('a server that has gone, and one without pictures or without an index', async () => {
    server.behaviour.pictures = [];
    const page = await go();
    await page.getByRole('heading', { name: 'No pictures yet' }).waitFor();
    server.behaviour.hasIndex = false;
    await page.reload();
    await page.getByText('This server has no index of pictures').waitFor();
    await page.getByRole('link', { name: 'Classify' }).click();
    await page.getByRole('heading', { name: 'Drop pictures here' }).waitFor();
    await page.getByRole('link', { name: 'Search' }).click();
    await server.close();
    await page.getByRole('searchbox').fill('dog');
    await page.getByText('The server does not answer').waitFor();
  });

  test('asks for the key of a server that demands one', async () => {
    server.behaviour.apiKey = 'secret';
    const page = await go('?q=dog');
    await page.getByLabel('API key').fill('wrong');
    await page.getByRole('button', { name: 'Continue' }).click();
    await page.getByText('The API key is missing or wrong.').waitFor();
    await page.getByLabel('API key').fill('secret');
    await page.getByRole('button', { name: 'Continue' }).click();
    await page.getByText('80 pictures fit').waitFor();
    expect(await page.evaluate(() => JSON.stringify({ ...localStorage, ...sessionStorage }))).not.toContain(
      'secret',
    );
  });

  test('speaks German to Germans, and remembers language and appearance that were chosen', async () => {
    const page = await go('', { locale: 'de-DE', colorScheme: 'dark' });
    await page.getByText('400 Bilder, neueste zuerst').waitFor();
    const root = page.locator('html');
    expect(await root.getAttribute('lang')).toBe('de');
    expect(await root.getAttribute('data-mantine-color-scheme')).toBe('dark');
    await page.getByRole('button', { name: 'Sprache und Aussehen' }).click();
    await page.getByText('Hell', { exact: true }).click();
    await page.getByText('English', { exact: true }).click();
    await page.getByText('400 pictures, newest first').waitFor();
    await page.reload();
    await page.getByText('400 pictures, newest first').waitFor();
    expect(await root.getAttribute('lang')).toBe('en');
    expect(await root.getAttribute('data-mantine-color-scheme')).toBe('light');
    expect(open!.complaints).toEqual([]);
  });
});
