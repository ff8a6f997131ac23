/** `eidos index`: folders of pictures become searchable, and stay so. */
import { Command } from 'commander';
import { EidosError } from '../../errors.ts';
import { describeUnread } from '../../image/unread.ts';
import type { SearchIndex, SyncOptions, SyncReport } from '../../tasks/search/types.ts';
import { failureLine, someFailed } from '../failure.ts';
import { addIndexOption, type IndexOptions, openNamedIndex } from '../index-options.ts';
import { addModelOptions, collect, type ModelOptions, warn } from '../model-options.ts';
import { syncDisplay } from '../sync-display.ts';

interface Options extends ModelOptions, IndexOptions {
  exclude?: string[];
  hidden?: boolean;
  followLinks?: boolean;
  forget?: string[];
  watch?: boolean;
}

export function indexCommand(): Command {
  return addModelOptions(
    addIndexOption(
      new Command('index')
        .description('make folders of pictures searchable, and keep them so')
        .argument('[folders...]', 'folders of pictures (default: those that the index has)'),
    )
      .option(
        '--exclude <pattern>',
        'paths that are left out, "drafts" or "**/thumbs/*"; as often as needed',
        collect,
      )
      .option('--hidden', 'look into hidden folders and at hidden files, too')
      .option('--follow-links', 'follow symbolic links to folders')
      .option('--forget <folder>', 'take a folder out of the index, as often as needed', collect)
      .option('--watch', 'stay, and take in what changes'),
  )
    .addHelpText(
      'after',
      `
What is unchanged costs nothing; what was moved is recognised; what was deleted leaves. It may be stopped at any moment
and goes on where it was. --model on an index of another model embeds everything again with this one.
--exclude, --hidden and --follow-links are remembered.

--json prints {"index", "added", "changed", "moved", "removed", "unchanged", "pictures", "seconds"} and a line
{"image", "error"} for each file that cannot be read.

Examples:
  eidos index ~/Pictures
  eidos index photos/ --index photos.index --exclude "**/raw/*" --watch

Exit status: 0, 1 when a file could not be read (the others are indexed), 2 when nothing could be done.`,
    )
    .action(run);
}

async function run(folders: string[], options: Options): Promise<void> {
  const index = await openNamedIndex(options, { create: folders.length > 0 });
  const stop = new AbortController();
  const onInterrupt = () => stop.abort();
  process.once('SIGINT', onInterrupt);
  process.once('SIGTERM', onInterrupt);
  const display = options.quiet || !process.stderr.isTTY ? undefined : await syncDisplay();
  const settings: SyncOptions = {
    signal: stop.signal,
    ...(options.exclude === undefined ? {} : { exclude: options.exclude }),
    ...(options.hidden === undefined ? {} : { hidden: true }),
    ...(options.followLinks === undefined ? {} : { followLinks: true }),
    ...(options.model === undefined ? {} : { model: options.model }),
    ...(display === undefined ? {} : { onProgress: display.update }),
  };
  try {
    if (options.forget !== undefined) await forget(index, options.forget, options);
    if (folders.length === 0 && (await index.info()).folders.length === 0) {
      if (options.forget !== undefined) return;
      throw new EidosError(
        'invalid_option',
        'Nothing to index: name a folder of pictures, `eidos index FOLDER`.',
      );
    }
    if (options.watch)
      await watch(index, folders, settings, { stop: stop.signal, options, clear: display?.stop });
    else {
      const report = await index.sync(folders, settings);
      display?.stop();
      print(index, report, options);
    }
  } catch (error) {
    display?.stop();
    if (!(error instanceof EidosError && error.code === 'aborted')) throw error;
    warn(options)('Stopped. What is done is kept; the same command goes on from here.');
    process.exitCode = someFailed;
  } finally {
    process.off('SIGINT', onInterrupt);
    process.off('SIGTERM', onInterrupt);
    display?.stop();
    await index.close();
  }
}

async function forget(index: SearchIndex, folders: string[], options: Options): Promise<void> {
  const left = await index.forget(folders);
  if (options.json) process.stdout.write(`${JSON.stringify({ index: index.path, forgotten: left })}\n`);
  else process.stdout.write(`${counted(left)} left the index\n`);
}

async function watch(
  index: SearchIndex,
  folders: string[],
  settings: SyncOptions,
  { stop, options, clear }: { stop: AbortSignal; options: Options; clear: (() => void) | undefined },
): Promise<void> {
  const watcher = await index.watch(folders, {
    ...settings,
    onSync: (report) => {
      clear?.();
      print(index, report, options);
    },
    onError: (error) => process.stderr.write(`${error.message}\n`),
  });
  warn(options)('Watching; Ctrl+C ends it.');
  if (!stop.aborted) await new Promise((resolve) => stop.addEventListener('abort', resolve));
  await watcher.close();
}

function print(index: SearchIndex, report: SyncReport, { json }: Options): void {
  const { unreadable, ...rest } = report;
  process.exitCode = unreadable.length > 0 ? someFailed : 0;
  if (json) {
    const { secondsOutsideNetwork: _, ...counts } = rest;
    process.stdout.write(`${JSON.stringify({ index: index.path, ...counts })}\n`);
    for (const line of unreadable) process.stdout.write(`${JSON.stringify(line)}\n`);
    return;
  }
  const changes = (['added', 'changed', 'moved', 'removed'] as const)
    .filter((name) => rest[name] > 0)
    .map((name) => `${rest[name]} ${name}`);
  const notRead = describeUnread(rest.notRead);
  const none = notRead === undefined ? 'its folders hold none' : 'its folders hold none that can be read';
  const unchanged = rest.pictures === 0 ? none : 'nothing has changed';
  const what = changes.length > 0 ? changes.join(', ') : unchanged;
  process.stdout.write(
    `${counted(rest.pictures)} in ${index.path}: ${what} (${rest.seconds.toFixed(1)} s)\n`,
  );
  if (notRead !== undefined) process.stdout.write(`${notRead}\n`);
  for (const { image, error } of unreadable) {
    process.stderr.write(failureLine(image, new EidosError(error.code, error.message)));
  }
}

function counted(pictures: number): string {
  return pictures === 1 ? '1 picture' : `${pictures} pictures`;
}
