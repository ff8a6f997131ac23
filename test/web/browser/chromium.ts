/** A real browser for the tests of the page, and the page as it was built; where one is missing, that is said. */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core';

/** Folder of the built page. */
export const builtPage = fileURLToPath(new URL('../../../web/dist', import.meta.url));

const program = [
  process.env.CHROMIUM,
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
].find((path) => path !== undefined && existsSync(path));

/** Whether the page can be tested here; the reason is printed where not. */
export const canBrowse = isReady();

function isReady(): boolean {
  if (!existsSync(`${builtPage}/index.html`)) {
    console.log('The page is not built (npm run build:web): its tests in the browser are skipped.');
    return false;
  }
  if (program === undefined) {
    console.log(
      'There is no Chromium (Debian: apt-get install chromium; elsewhere: its path in CHROMIUM): ' +
        'the tests of the page in the browser are skipped.',
    );
    return false;
  }
  return true;
}

/** A browser on a machine that has much else to do is slow, and right all the same. */
export const patience = { timeout: 180_000 };

/** The sandbox needs rights that containers lack; only this project's own page is opened. */
export function openBrowser(): Promise<Browser> {
  // Without a graphics card its work is only imitated, and one process for pages is enough.
  const args = [
    '--no-sandbox',
    '--disable-gpu',
    '--disable-software-rasterizer',
    '--renderer-process-limit=1',
  ];
  return chromium.launch({ executablePath: program!, args });
}

export interface Visit {
  page: Page;
  /** What must not happen: errors in the console or in scripts, and requests to anybody but the server. */
  complaints: string[];
  close(): Promise<void>;
}

/** Opens a page of its own, without the memory of earlier ones, and watches it. */
export async function visit(
  browser: Browser,
  server: { url: string },
  path = '',
  options: BrowserContextOptions = {},
): Promise<Visit> {
  const context = await browser.newContext({
    viewport: { width: 1000, height: 700 },
    locale: 'en-US',
    reducedMotion: 'reduce',
    ...options,
  });
  const page = await context.newPage();
  page.setDefaultTimeout(patience.timeout / 2);
  const complaints: string[] = [];
  page.on('pageerror', ({ message }) => complaints.push(message));
  page.on('console', (message) => {
    if (message.type() === 'error') complaints.push(`${message.text()} ${message.location().url}`);
  });
  page.on('request', (request) => {
    const address = request.url();
    if (!address.startsWith(server.url) && !/^(data|blob):/.test(address))
      complaints.push(`asked ${address}`);
  });
  await page.goto(server.url + path);
  return { page, complaints, close: () => context.close() };
}

/** Drops a picture that the page draws itself onto the window, as a file manager would. */
export async function dropPicture(page: Page, name: string, [width, height] = [900, 600]): Promise<void> {
  await page.evaluate(
    async ({ name, width, height }) => {
      const canvas = document.createElement('canvas');
      canvas.width = width;
      canvas.height = height;
      const context = canvas.getContext('2d')!;
      context.fillStyle = 'teal';
      context.fillRect(0, 0, width, height);
      const blob = await new Promise<Blob>((resolve) => canvas.toBlob((made) => resolve(made!)));
      const dataTransfer = new DataTransfer();
      dataTransfer.items.add(new File([blob], name, { type: 'image/png' }));
      for (const type of ['dragenter', 'dragover', 'drop']) {
        document.body.dispatchEvent(new DragEvent(type, { dataTransfer, bubbles: true, cancelable: true }));
      }
    },
    { name, width: width ?? 900, height: height ?? 600 },
  );
}

/** Width and height of a data URI's picture, as the browser sees it. */
export function sizeOf(page: Page, data: string): Promise<[number, number]> {
  return page.evaluate(async (source) => {
    const image = new Image();
    image.src = source;
    await image.decode();
    return [image.naturalWidth, image.naturalHeight] as [number, number];
  }, data);
}
