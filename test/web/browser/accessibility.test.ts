/** WCAG 2.2 AA in every state and both themes, by axe; and what axe cannot see: reflow, focus, the keyboard alone. */
import axe from 'axe-core';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { builtPage, canBrowse, dropPicture, openBrowser, patience, visit } from './chromium.ts';
import { drawnPictures, type MockServer, startMockServer } from './mock-server.ts';

const phone = { width: 390, height: 780 };
/** WCAG's own width for reflow: 1280 pixels at a zoom of 400 %. */
const narrowest = { width: 320, height: 640 };

/** Ways to every state of the page, from its address. */
const states: Record<string, { path: string; reach: (page: Page) => Promise<unknown> }> = {
  'all pictures': { path: '', reach: (page) => page.locator('#picture-3 img').waitFor() },
  'what fits': { path: '?q=dog', reach: (page) => page.locator('#picture-3 img').waitFor() },
  'nothing fits': { path: '?q=zebra', reach: (page) => page.getByRole('heading', { level: 2 }).waitFor() },
  'a picture': {
    path: '?q=dog&picture=p1',
    reach: (page) => page.getByRole('dialog').locator('#similar-2 img').waitFor(),
  },
  'the index': {
    path: '',
    reach: async (page) => {
      await page.getByRole('button', { name: '60 pictures' }).click();
      await page.getByText('1 file cannot be read').click();
    },
  },
  settings: {
    path: '',
    reach: (page) => page.getByRole('button', { name: 'Language and appearance' }).click(),
  },
  'nothing to classify': {
    path: '?view=classify',
    reach: (page) => page.getByRole('heading', { level: 2 }).waitFor(),
  },
  'what it could be': {
    path: '?view=classify',
    reach: async (page) => {
      await page.getByRole('heading', { level: 2 }).waitFor();
      await dropPicture(page, 'teal.png');
      await page.getByText(/mountains, \d+%/).waitFor();
    },
  },
};

interface Finding {
  rule: string;
  where: string[];
}

async function findings(page: Page): Promise<Finding[]> {
  await page.evaluate(axe.source);
  return page.evaluate(async () => {
    const { axe } = window as unknown as {
      axe: {
        run(
          options: object,
        ): Promise<{ violations: { id: string; nodes: { html: string; failureSummary: string }[] }[] }>;
      };
    };
    const { violations } = await axe.run({
      runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'],
      rules: { 'target-size': { enabled: true } },
    });
    return violations.map(({ id, nodes }) => ({
      rule: id,
      where: nodes.map((node) => `${node.html} ${node.failureSummary}`),
    }));
  });
}

/** How far the page is wider than its window. */
const overhang = (page: Page) => page.evaluate(() => document.documentElement.scrollWidth - innerWidth);

describe.skipIf(!canBrowse)('accessibility', patience, () => {
  let browser: Browser;
  let server: MockServer;
  beforeAll(async () => {
    browser = await openBrowser();
    server = await startMockServer(builtPage, drawnPictures(60), {
      unreadable: [
        { image: '/photographs/broken.jpg', error: { code: 'invalid_image', message: 'It ends too early.' } },
      ],
    });
  });
  afterAll(async () => {
    await browser.close();
    await server.close();
  });

  test.each(Object.entries(states))(
    '%s: no finding in either theme, and no scrolling sideways',
    async (_, { path, reach }) => {
      const { page, close } = await visit(browser, server, path, { viewport: phone });
      await reach(page);
      for (const theme of ['light', 'dark'] as const) {
        await page.emulateMedia({ colorScheme: theme });
        await expect.poll(() => page.locator('html').getAttribute('data-mantine-color-scheme')).toBe(theme);
        expect(await findings(page), theme).toEqual([]);
      }
      await page.setViewportSize(narrowest);
      await expect.poll(() => overhang(page)).toBeLessThanOrEqual(0);
      await close();
    },
  );

  test('axe finds what is wrong: a picture without words, grey on grey', async () => {
    const { page, close } = await visit(browser, server);
    await page.locator('#picture-3 img').waitFor();
    // An element of our own, on top: what the page draws is drawn anew at times, and axe judges no text under another.
    await page.evaluate(() => {
      const bad = document.createElement('div');
      bad.style.cssText =
        'position:fixed;inset:40% 0 auto;z-index:9999;padding:1rem;background:#ddd;color:#ccc';
      bad.innerHTML =
        '<p>grey on grey</p><img src="data:image/gif;base64,R0lGODlhAQABAAAAACw=" width="40" height="40">';
      document.querySelector('main')!.append(bad);
    });
    const rules = (await findings(page)).map(({ rule }) => rule);
    expect(rules).toEqual(expect.arrayContaining(['image-alt', 'color-contrast']));
    await close();
  });

  test('the keyboard alone: past the header, through the grid, into a picture and back', async () => {
    const { page, close } = await visit(browser, server, '?q=dog');
    await page.locator('#picture-3').waitFor();
    const focused = () =>
      page.evaluate(() => document.activeElement?.textContent ?? document.activeElement?.id);
    await page.keyboard.press('Tab');
    expect(await focused()).toBe('Skip to the pictures');
    await page.keyboard.press('Enter');
    await page.keyboard.press('Tab');
    const at = () => page.evaluate(() => document.activeElement?.id);
    expect(await at()).toBe('picture-0');
    await page.keyboard.press('ArrowRight');
    await page.keyboard.press('ArrowDown');
    await expect.poll(at).toMatch(/^picture-[3-9]$/);
    const chosen = await at();
    await page.keyboard.press('Enter');
    await page.getByRole('dialog').getByRole('button', { name: 'Close' }).waitFor();
    await expect
      .poll(() => page.evaluate(() => document.activeElement?.getAttribute('aria-label')))
      .toBe('Close');
    // The dialog keeps the focus.
    for (let i = 0; i < 25; i++) await page.keyboard.press('Tab');
    expect(await page.evaluate(() => document.activeElement?.closest('[role="dialog"]') !== null)).toBe(true);
    await page.keyboard.press('Escape');
    await expect.poll(at).toBe(chosen);
    await close();
  });

  test('what has the focus is not hidden under the line on top', async () => {
    const { page, close } = await visit(browser, server, '', { viewport: { width: 800, height: 500 } });
    await page.locator('#picture-3').waitFor();
    await page.locator('#picture-0').focus();
    await page.keyboard.press('End');
    await expect.poll(() => page.evaluate(() => document.activeElement?.id)).toBe('picture-59');
    const step = async () => {
      await page.keyboard.press('ArrowUp');
      return page.evaluate(() => {
        const bar = document.querySelector('[data-search-bar]')!.getBoundingClientRect();
        const box = document.activeElement!.getBoundingClientRect();
        return {
          id: document.activeElement!.id,
          under: box.top < bar.bottom && bar.top <= 0,
          below: box.bottom > innerHeight + 1,
        };
      });
    };
    for (let i = 0; i < 30; i++) {
      const { id, under, below } = await step();
      if (id === 'picture-0') break;
      expect({ id, under, below }).toEqual({ id, under: false, below: false });
    }
    await close();
  });
});
