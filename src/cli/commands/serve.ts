/** `eidos serve`: the tasks over HTTP, and the page, until it is stopped. */
import { readFile } from 'node:fs/promises';
import { Command, Option } from 'commander';
import type { Clip } from '../../clip/clip.ts';
import { EidosError } from '../../errors.ts';
import type { FoldersToTakeIn, LogLevel } from '../../server/options.ts';
import type { IndexInfo, SearchIndex } from '../../tasks/search/types.ts';
import { linesOf } from '../../text/lines.ts';
import { describeError } from '../failure.ts';
import { addIndexOption, type IndexOptions, indexPath, presentIndex } from '../index-options.ts';
import {
  addModelOptions,
  collect,
  type ModelOptions,
  openModel,
  warn,
  wholeNumber,
} from '../model-options.ts';
import { openForPerson } from '../open-for-person.ts';
import { syncDisplay } from '../sync-display.ts';

interface Options extends ModelOptions, IndexOptions {
  open?: boolean;
  host: string;
  port?: number;
  watch?: boolean;
  apiKeyFile?: string;
  allowHost?: string[];
  allowOrigin?: string[];
  allowUrls?: boolean;
  rateLimit?: number;
  log: LogLevel;
  logQueries?: boolean;
}

export function serveCommand(): Command {
  return addModelOptions(
    addIndexOption(
      new Command('serve')
        .description('answer over HTTP, and show the page')
        .argument('[folders...]', 'folders of pictures to be indexed while the page shows what is done'),
    )
      .option('--open', 'open the page in the browser')
      .option('--host <address>', 'where to listen; beyond this machine an API key is demanded', '127.0.0.1')
      .option('-p, --port <port>', 'the port, 0 for one that is free (default: 3456)', portNumber)
      .option('--watch', 'keep the index at the state of its folders')
      .option('--api-key-file <file>', 'a file with an API key a line (or EIDOS_API_KEY in the environment)')
      .option('--allow-host <name>', 'a name that the server answers under, as often as needed', collect)
      .option('--allow-origin <origin>', 'another page that may ask, https://photos.example', collect)
      .option('--allow-urls', 'fetch pictures that are named by their URL, from public addresses')
      .option(
        '--rate-limit <n>',
        'requests a minute of one address (default: none here, 1200 beyond)',
        wholeNumber('--rate-limit'),
      )
      .addOption(
        new Option('--log <level>', 'the least that is logged on standard error, as JSON')
          .choices(['debug', 'info', 'warn', 'error'] satisfies LogLevel[])
          .default('warn'),
      )
      .option('--log-queries', 'log the words that people search for, too'),
  )
    .addHelpText(
      'after',
      `
Folders are taken into the index, which is made where there is none; the page shows what is done, and goes on filling.
Without --index, the index is the one here or in the nearest folder above, or else your own; without any, all but search is
answered. Without --model, the model is that of the index. /docs shows the API, /metrics and /readyz how the server is.

--json prints a line {"url", "model", "index", "pictures"} once the server answers; index and pictures only where it
has an index. With folders a line {"index", "added", "changed", "moved", "removed", "unchanged", "pictures", "seconds"} or
{"error"} follows when they are taken in.

Examples:
  eidos serve ~/Pictures --open
  eidos serve --index photos.index --port 8080 --watch
  EIDOS_API_KEY=… eidos serve --host 0.0.0.0 --allow-host photos.example

Exit status: 0 when it was stopped, 2 when it could not begin.`,
    )
    .action(run);
}

async function run(folders: string[], options: Options): Promise<void> {
  const known = presentIndex(options);
  const path = known ?? (folders.length > 0 ? indexPath(options) : undefined);
  const [{ startServer }, apiKeys] = await Promise.all([
    import('../../server/listen.ts'),
    readKeys(options),
    checkFolders(folders),
  ]);
  const before = known === undefined ? undefined : await infoOf(known, folders.length > 0);
  const model = options.model ?? before?.model.name;
  const clip = await openModel({ ...options, ...(model === undefined ? {} : { model }) });
  try {
    let index: SearchIndex | undefined;
    const openIndex = async (shared: Clip): Promise<SearchIndex> => {
      const open = await import('../../tasks/search/open.ts');
      index = await open.openIndex(path!, {
        clip: shared,
        create: folders.length > 0,
        onWarning: warn(options),
      });
      return index;
    };
    const takingIn = await takeIn(folders, path, options);
    const { host, port, allowHost, allowOrigin, allowUrls, rateLimit, log, logQueries } = options;
    const server = await startServer({
      clip,
      host,
      port,
      apiKeys,
      allowedHosts: allowHost,
      allowedOrigins: allowOrigin,
      allowUrls,
      logQueries,
      logLevel: log,
      ...(options.quiet ? {} : { log: process.stderr }),
      ...(path === undefined ? {} : { openIndex }),
      ...(takingIn === undefined ? {} : { takeIn: takingIn.server }),
      limits: {
        ...(rateLimit === undefined ? {} : { requestsPerMinute: rateLimit }),
        ...(options.maxPixels === undefined ? {} : { imagePixels: options.maxPixels }),
      },
    });
    try {
      const end = stopped();
      announce(server.url, clip, { index: path, pictures: before?.pictures ?? 0 }, options);
      if (options.open) await openForPerson(server.url).catch((error: Error) => warn(options)(error.message));
      await Promise.race([end, takingIn?.ended]);
      if (options.watch && index !== undefined) await watchUntil(end, index, options);
      await end;
      warn(options)('Stopping: requests that have begun are answered.');
    } finally {
      await server.close();
    }
  } finally {
    await clip.close();
  }
}

/** Keeps the index current. The first sync may take hours, and is given up like any other when the end comes. */
async function watchUntil(end: Promise<void>, index: SearchIndex, options: Options): Promise<void> {
  const stop = new AbortController();
  void end.then(() => stop.abort());
  const onError = (error: EidosError): void => {
    if (error.code !== 'aborted') warn(options)(error.message);
  };
  try {
    const watcher = await index.watch([], { signal: stop.signal, onError });
    await end;
    await watcher.close();
  } catch (error) {
    if (!(error instanceof EidosError && error.code === 'aborted')) throw error;
  }
}

function announce(
  url: string,
  { config }: Clip,
  { index, pictures }: { index: string | undefined; pictures: number },
  options: Options,
): void {
  if (options.json) {
    const line = { url, model: config.model, ...(index === undefined ? {} : { index, pictures }) };
    process.stdout.write(`${JSON.stringify(line)}\n`);
    return;
  }
  const what = index === undefined ? 'no index' : `${pictures} pictures of ${index}`;
  process.stdout.write(`${url} (${config.model}, ${what}); Ctrl+C ends it\n`);
  if (index === undefined) {
    warn(options)('There is no index here, so nothing can be searched: `eidos serve FOLDER` makes one.');
  }
}

/** How the server takes in folders, and when it has ended, well or not. */
async function takeIn(
  folders: readonly string[],
  index: string | undefined,
  options: Options,
): Promise<{ server: FoldersToTakeIn; ended: Promise<void> } | undefined> {
  if (folders.length === 0) return undefined;
  const display = options.quiet || !process.stderr.isTTY ? undefined : await syncDisplay();
  let end = () => {};
  const ended = new Promise<void>((resolve) => {
    end = resolve;
  });
  const server: FoldersToTakeIn = {
    folders,
    onProgress: (progress) => display?.update(progress),
    onDone: ({ unreadable, secondsOutsideNetwork: _, ...counts }) => {
      display?.stop();
      if (options.json) process.stdout.write(`${JSON.stringify({ index, ...counts })}\n`);
      else process.stdout.write(`${counts.pictures} pictures in ${index} (${counts.seconds.toFixed(1)} s)\n`);
      if (unreadable.length > 0) {
        warn(options)(`${unreadable.length} of the files cannot be read: \`eidos index\` names them.`);
      }
      end();
    },
    onError: (error) => {
      display?.stop();
      const described = describeError(error);
      const isEnd = described.code === 'aborted' || described.code === 'closed';
      if (isEnd) warn(options)('What is done of the index is kept; the same command goes on from here.');
      else if (options.json) process.stdout.write(`${JSON.stringify({ error: described })}\n`);
      else process.stderr.write(`The folders could not be indexed: ${described.message}\n`);
      end();
    },
  };
  return { server, ended };
}

/** Until somebody asks the process to end; who asks twice is not made to wait. */
function stopped(): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) {
      process.once(signal, () => {
        process.once(signal, () => process.exit(1));
        resolve();
      });
    }
  });
}

/**
 * How an index stands, read without opening any model.
 * @param mayBeMissing where it is about to be made
 */
async function infoOf(path: string, mayBeMissing: boolean): Promise<IndexInfo | undefined> {
  const { openIndex } = await import('../../tasks/search/open.ts');
  const index = await openIndex(path).catch((error: unknown) => {
    if (mayBeMissing && error instanceof EidosError && error.code === 'not_found') return undefined;
    throw error;
  });
  try {
    return await index?.info();
  } finally {
    await index?.close();
  }
}

/** Before anything is opened: a slip of the pen shall not start a server. */
async function checkFolders(folders: readonly string[]): Promise<void> {
  if (folders.length === 0) return;
  const { folderPath } = await import('../../tasks/search/upkeep/folders.ts');
  await Promise.all(folders.map(folderPath));
}

async function readKeys({ apiKeyFile }: Options): Promise<string[]> {
  const fromEnvironment = process.env.EIDOS_API_KEY ?? '';
  if (apiKeyFile === undefined) return fromEnvironment === '' ? [] : [fromEnvironment];
  const text = await readFile(apiKeyFile, 'utf8').catch((cause: Error) => {
    throw new EidosError('not_found', `--api-key-file ${apiKeyFile} cannot be read: ${cause.message}`, {
      cause,
    });
  });
  const keys = linesOf(text)
    .map((line) => line.trim())
    .filter((line) => line !== '');
  if (keys.length === 0) {
    throw new EidosError(
      'invalid_option',
      `--api-key-file ${apiKeyFile} is empty: write a key a line into it.`,
    );
  }
  return keys;
}

function portNumber(text: string): number {
  const port = Number(text);
  if (!/^\d+$/.test(text) || port > 65_535) {
    throw new EidosError(
      'invalid_option',
      `--port is "${text}", but must be a whole number from 0 to 65535.`,
    );
  }
  return port;
}
