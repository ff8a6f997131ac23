/** `eidos serve`: the tasks over HTTP, and the page, until it is stopped. */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { Command, Option } from 'commander';
import type { Clip } from '../../clip/clip.ts';
import { EidosError } from '../../errors.ts';
import type { LogLevel } from '../../server/options.ts';
import type { SearchIndex } from '../../tasks/search/types.ts';
import { linesOf } from '../../text/lines.ts';
import { addIndexOption, type IndexOptions, indexPath } from '../index-options.ts';
import {
  addModelOptions,
  collect,
  type ModelOptions,
  openModel,
  warn,
  wholeNumber,
} from '../model-options.ts';

interface Options extends ModelOptions, IndexOptions {
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
    addIndexOption(new Command('serve').description('answer over HTTP, and show the page'))
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
Without --index, the index is the one here or in the nearest folder above; without any, all but search is answered.
Without --model, the model is that of the index. /docs shows the API, /metrics and /readyz how the server is.

--json prints a line {"url", "model", "index", "pictures"} once the server answers; index and pictures only where it
has an index.

Examples:
  eidos serve
  eidos serve --index photos.index --port 8080 --watch
  EIDOS_API_KEY=… eidos serve --host 0.0.0.0 --allow-host photos.example

Exit status: 0 when it was stopped, 2 when it could not begin.`,
    )
    .action(run);
}

async function run(options: Options): Promise<void> {
  const path = pathOfIndex(options);
  const [{ startServer }, apiKeys] = await Promise.all([import('../../server/listen.ts'), readKeys(options)]);
  const model = options.model ?? (path === undefined ? undefined : await modelOfIndex(path));
  const clip = await openModel({ ...options, ...(model === undefined ? {} : { model }) });
  try {
    let index: SearchIndex | undefined;
    const openIndex = async (shared: Clip): Promise<SearchIndex> => {
      const open = await import('../../tasks/search/open.ts');
      index = await open.openIndex(path!, { clip: shared, onWarning: warn(options) });
      return index;
    };
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
      ...(rateLimit === undefined ? {} : { limits: { requestsPerMinute: rateLimit } }),
    });
    try {
      const end = stopped();
      await announce(server.url, clip, index, options);
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

async function announce(
  url: string,
  { config }: Clip,
  index: SearchIndex | undefined,
  options: Options,
): Promise<void> {
  const info = await index?.info();
  if (options.json) {
    const line = {
      url,
      model: config.model,
      ...(info === undefined ? {} : { index: info.path, pictures: info.pictures }),
    };
    process.stdout.write(`${JSON.stringify(line)}\n`);
    return;
  }
  const what = info === undefined ? 'no index' : `${info.pictures} pictures of ${info.path}`;
  process.stdout.write(`${url} (${config.model}, ${what}); Ctrl+C ends it\n`);
  if (info === undefined) {
    warn(options)('There is no index here, so nothing can be searched: `eidos index FOLDER` makes one.');
  }
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

/** The index that was named, or the usual one where there is one. */
function pathOfIndex(options: Options): string | undefined {
  const path = indexPath(options);
  return options.index !== undefined || existsSync(path) ? path : undefined;
}

/** Read without opening any model. */
async function modelOfIndex(path: string): Promise<string> {
  const { openIndex } = await import('../../tasks/search/open.ts');
  const index = await openIndex(path);
  try {
    return (await index.info()).model.name;
  } finally {
    await index.close();
  }
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
