/** A hundred thousand pictures: drawn are those in sight, every one can be reached. */
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { builtPage, canBrowse, openBrowser, patience, visit } from './chromium.ts';
import { drawnPictures, type MockServer, startMockServer } from './mock-server.ts';

const total = 100_000;

describe.skipIf(!canBrowse)('100,000 pictures', patience, () => {
  let browser: Browser;
  let server: MockServer;
  beforeAll(async () => {
    browser = await openBrowser();
    server = await startMockServer(builtPage, drawnPictures(total));
  });
  afterAll(async () => {
    await browser.close();
    await server.close();
  });

  test('only those near the window are drawn and asked for, at the top, in the middle and at the end', async () => {
    const { page, complaints, close } = await visit(browser, server);
    await page.getByText('100,000 pictures, newest first').waitFor();
    const drawn = () => page.locator('main li').count();
    await page.locator('#picture-0').waitFor();
    expect(await drawn()).toBeLessThan(250);

    await page.evaluate(() => scrollTo({ top: document.body.scrollHeight / 2 }));
    await page.waitForFunction(() => {
      const first = document.querySelector('main li[aria-posinset]');
      return Number(first?.getAttribute('aria-posinset')) > 40_000;
    });
    expect(await drawn()).toBeLessThan(250);
    // What comes above the window does not push away what is looked at.
    const seen = () =>
      page.evaluate(() => {
        const middle = document.elementFromPoint(innerWidth / 2, innerHeight / 2)?.closest('li');
        return middle?.getAttribute('aria-posinset') ?? null;
      });
    await expect.poll(seen).not.toBeNull();

    await page.locator('main li a').first().focus();
    await page.keyboard.press('End');
    await page.locator(`#picture-${total - 1}`).waitFor();
    await expect.poll(() => page.evaluate(() => document.activeElement?.id)).toBe(`picture-${total - 1}`);
    expect(await page.locator(`#picture-${total - 1} img`).getAttribute('alt')).toBe(
      'A flower, number 99999',
    );
    expect(await drawn()).toBeLessThan(250);

    await page.keyboard.press('Home');
    await expect.poll(() => page.evaluate(() => document.activeElement?.id)).toBe('picture-0');
    const pages = server.requests.filter(({ path }) => path.startsWith('/v1/pictures?')).length;
    expect(pages).toBeLessThan(40);
    expect(complaints).toEqual([]);
    await close();
  });

  // Frames come when the machine has time for them: where others keep it busy, a first try may see one too late.
  test('scrolling up into pages that were never seen does not jump', { retry: 2 }, async () => {
    const { page, close } = await visit(browser, server);
    await page.locator('#picture-0').waitFor();
    await page.evaluate(() => scrollTo({ top: 400_000 }));
    await page.waitForFunction(() => document.querySelectorAll('main li[aria-posinset]').length > 40);
    for (let i = 0; i < 12; i++) {
      const before = await page.evaluate(() => {
        const middle = document.elementFromPoint(innerWidth / 2, innerHeight / 2)?.closest('li');
        const name = middle?.querySelector('a')?.id;
        const top = middle?.getBoundingClientRect().top ?? 0;
        scrollBy({ top: -300 });
        return { name, top };
      });
      await page.evaluate(
        () => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve))),
      );
      if (before.name === undefined) continue;
      const after = await page.evaluate(
        (name) => document.getElementById(name)?.getBoundingClientRect().top,
        before.name,
      );
      if (after !== undefined) expect(Math.abs(after - before.top - 300)).toBeLessThan(2);
    }
    await close();
  });
});
