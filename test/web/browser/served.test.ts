/** The page as `eidos serve` hands it out: the bundled model, an index of photographs, the policy of the real server. */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Clip } from '../../../src/clip/clip.ts';
import { loadClip } from '../../../src/clip/load.ts';
import { type RunningServer, startServer } from '../../../src/server/index.ts';
import { openIndex } from '../../../src/tasks/search/open.ts';
import { canBrowse, openBrowser, patience, visit } from './chromium.ts';

const photographs = fileURLToPath(new URL('../../../examples/photographs', import.meta.url));

const count = readdirSync(photographs).filter((name) => name.endsWith('.jpg')).length;

describe.skipIf(!canBrowse)('the page of the real server', patience, () => {
  const folder = mkdtempSync(join(tmpdir(), 'eidos-page-'));
  let browser: Browser;
  let clip: Clip;
  let server: RunningServer;
  beforeAll(async () => {
    browser = await openBrowser();
    clip = await loadClip();
    server = await startServer({
      clip,
      port: 0,
      openIndex: async (shared) => {
        const index = await openIndex(join(folder, 'index'), { clip: shared, create: true });
        await index.sync([photographs]);
        return index;
      },
    });
  }, patience.timeout);
  afterAll(async () => {
    await browser.close();
    await server.close();
    await clip.close();
    rmSync(folder, { recursive: true, force: true });
  });

  test('shows the photographs, finds some, opens one, classifies another, updates', async () => {
    const { page, complaints, close } = await visit(browser, { url: `${server.url}/` });
    await page.getByText(`${count} pictures, newest first`).waitFor();
    const shown = () =>
      page.evaluate(
        () => [...document.images].filter((image) => image.complete && image.naturalWidth > 0).length,
      );
    await expect.poll(shown).toBe(count);

    // A photograph finds itself first, whatever the model.
    const drum = join(photographs, 'drum.jpg');
    await page.locator('input[type=file]').setInputFiles(drum);
    await page.getByText(/fits?, best first/).waitFor();
    expect(await page.locator('#picture-0').textContent()).toContain('drum.jpg');
    await page.getByRole('searchbox').fill('a drum');
    await expect.poll(() => page.getByRole('status').first().textContent()).toMatch(/first|Nothing/);
    await page.getByRole('button', { name: 'Remove the picture' }).click();
    await page.getByRole('button', { name: 'Clear the search' }).click();
    await page.getByText(`${count} pictures, newest first`).waitFor();

    await page
      .locator('main')
      .getByRole('link', { name: /two-dogs/ })
      .click();
    const dialog = page.getByRole('dialog');
    await dialog.getByRole('heading', { name: 'Words that fit' }).waitFor();
    await dialog.locator('#similar-2 img').waitFor();
    await page.keyboard.press('Escape');

    await page.getByRole('button', { name: `${count} pictures` }).click();
    await page.getByRole('button', { name: 'Update now' }).click();
    await page.getByText('Everything was up to date.').waitFor();
    await page.keyboard.press('Escape');

    await page.getByRole('link', { name: 'Classify' }).click();
    await page.getByLabel('What could it be?').fill('two dogs, a drum');
    await page.locator('input[type=file]').setInputFiles(drum);
    await page.getByText(/^(two dogs|a drum), \d+%$/).waitFor();
    expect(complaints).toEqual([]);
    await close();
  });
});
