/** `eidos serve`: how it begins, what it answers, how it ends. Needs the build. */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { commandLine, printedLines, runEidos } from '../command.ts';
import { writeTinyModel } from '../tiny-model.ts';
import { plainPicture } from './requests.ts';

// A build of before the command has none.
const isBuilt = existsSync(fileURLToPath(new URL('../../dist/cli/commands/serve.js', import.meta.url)));
if (!isBuilt) console.log('eidos is not built (npm run build): the tests of `eidos serve` are skipped.');

describe.skipIf(!isBuilt)('eidos serve', () => {
  let folder: string;
  let model: string;
  const started: ChildProcess[] = [];
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'eidos-serve-'));
    model = await writeTinyModel();
    await writeFile(join(folder, 'red.png'), plainPicture([255, 0, 0]));
    await writeFile(join(folder, 'keys'), 'first\n\nsecond\n');
    await writeFile(join(folder, 'no-keys'), '\n');
  });
  afterAll(async () => {
    for (const server of started) server.kill('SIGKILL');
    await rm(folder, { recursive: true });
    await rm(model, { recursive: true });
  });

  /** Starts it and waits for the line that says where it is. */
  async function serve(
    ...args: string[]
  ): Promise<{ server: ChildProcess; line: Record<string, unknown>; log: () => string }> {
    const server = spawn(
      process.execPath,
      [commandLine, 'serve', '--port', '0', '--json', '--model', model, ...args],
      {
        cwd: folder,
        env: {
          ...process.env,
          XDG_CACHE_HOME: join(folder, 'cache'),
          XDG_DATA_HOME: join(folder, 'data'),
          EIDOS_API_KEY: '',
        },
        stdio: ['ignore', 'pipe', 'pipe'],
      },
    );
    started.push(server);
    let log = '';
    server.stderr!.on('data', (data: Buffer) => {
      log += data.toString();
    });
    for await (const text of createInterface({ input: server.stdout! })) {
      return { server, line: JSON.parse(text) as Record<string, unknown>, log: () => log };
    }
    throw new Error(`It did not start: ${log}`);
  }

  const ended = (server: ChildProcess) =>
    new Promise<number | null>((resolve) => server.once('exit', (status) => resolve(status)));

  test('answers, logs without words, and ends with 0 when it is asked to', async () => {
    const { server, line, log } = await serve('--log', 'info');
    expect(line).toEqual({ url: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+$/), model });
    expect(await (await fetch(`${line.url}/readyz`)).json()).toMatchObject({ status: 'ready' });
    expect((await fetch(`${line.url}/v1/search?q=secret`)).status).toBe(404);
    const end = ended(server);
    server.kill('SIGTERM');
    expect(await end).toBe(0);
    expect(log()).toContain('"route":"/v1/search"');
    expect(log()).not.toContain('secret');
  });

  test('a key from a file opens it, and nothing else does', async () => {
    const { server, line } = await serve('--api-key-file', 'keys');
    const ask = (key: string) =>
      fetch(`${line.url}/v1/models`, { headers: { authorization: `Bearer ${key}` } });
    expect((await ask('second')).status).toBe(200);
    expect((await ask('third')).status).toBe(401);
    const end = ended(server);
    server.kill('SIGINT');
    expect(await end).toBe(0);
  });

  test('ends with 0 also while --watch takes in pictures for the first time', async () => {
    const pictures = join(folder, 'pictures');
    await mkdir(pictures);
    const write = (number: number) =>
      writeFile(join(pictures, `${number}.png`), plainPicture([number % 256, number >> 8, 0]));
    await write(0);
    expect(runEidos(folder, ['index', pictures, '--index', 'watched', '--model', model]).status).toBe(0);
    for (let number = 1; number < 500; number++) await write(number);
    const { server } = await serve('--index', 'watched', '--watch');
    const end = ended(server);
    server.kill('SIGTERM');
    expect(await end).toBe(0);
  });

  test('takes in folders while it answers with what is done, and opens the page', async () => {
    const pictures = join(folder, 'to-be-served');
    await mkdir(pictures);
    for (let number = 0; number < 400; number++) {
      await writeFile(join(pictures, `${number}.png`), plainPicture([number % 256, number >> 8, 9]));
    }
    const opened = join(folder, 'opened');
    const browser = join(folder, 'browser');
    await writeFile(browser, `#!/bin/sh\necho "$1" > "${opened}"\n`, { mode: 0o755 });
    process.env.BROWSER = browser;
    const { server, line, log } = await serve(pictures, '--open');
    delete process.env.BROWSER;
    const home = join(folder, 'data/eidos/index');
    expect(line).toEqual({ url: expect.any(String), model, index: home, pictures: 0 });
    const counts: number[] = [];
    let isSyncing = true;
    while (isSyncing || counts.at(-1) !== 400) {
      const index = await (await fetch(`${line.url}/v1/index`)).json();
      counts.push((await (await fetch(`${line.url}/v1/pictures?topK=1`)).json()).total);
      isSyncing = index.syncing;
      // The server has one processor with this loop, and others to serve.
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    expect(counts.some((count) => count > 0 && count < 400)).toBe(true);
    const found = await (await fetch(`${line.url}/v1/search?q=red&cutOff=false`)).json();
    expect(found.total).toBe(400);
    if (process.platform === 'linux') {
      expect((await readFile(opened, 'utf8')).trim()).toBe(line.url);
    }
    const end = ended(server);
    server.kill('SIGTERM');
    expect(await end).toBe(0);
    expect(log()).not.toContain('could not be');
    // Without folders it is there again.
    const again = await serve();
    expect(again.line).toMatchObject({ index: home, pictures: 400 });
    again.server.kill('SIGTERM');
    await rm(home, { recursive: true });
  }, 120_000);

  test.each([
    [['missing-folder'], /missing-folder is not there/],
    [['--host', '0.0.0.0'], /API keys/],
    [['--port', '70000'], /--port/],
    [['--index', 'nowhere'], /nowhere/],
    [['--api-key-file', 'no-keys'], /empty/],
    [['--api-key-file', 'missing'], /cannot be read/],
    [['--rate-limit', '0'], /--rate-limit/],
    [['--verbose'], /--verbose/],
  ])('%j is refused', (args, reason) => {
    const { status, stdout } = runEidos(folder, ['serve', '--json', '--model', model, ...args]);
    expect(status).toBe(2);
    expect(printedLines(stdout)[0]!.error).toMatchObject({ message: expect.stringMatching(reason) });
  });

  test('--help says how to reach it', () => {
    const { status, stdout } = runEidos(folder, ['serve', '--help']);
    expect(status).toBe(0);
    for (const word of [
      '--host',
      '--port',
      '--index',
      '--api-key-file',
      '--allow-urls',
      '/docs',
      'Exit status',
    ]) {
      expect(stdout).toContain(word);
    }
  });
});
