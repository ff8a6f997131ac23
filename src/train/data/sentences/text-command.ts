/** Asks a program about sentences, once: what it says is kept by the hash of command and sentences. */
import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, open, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { toFloat16 } from '../../../checkpoint/numbers.ts';
import { withLock } from '../../../disk/lock.ts';
import { writeFailure } from '../../../disk/write-failure.ts';
import { EidosError } from '../../../errors.ts';
import { type TextList, textsIn } from './text-list.ts';
import type { VectorFile } from './vectors.ts';

export interface TextCommand {
  command: readonly string[];
  /** Where it runs. */
  folder: string;
  /** Numbers a vector. */
  width: number;
}

export interface AskOptions {
  /** Where vectors are kept. */
  cache: string;
  signal?: AbortSignal | undefined;
  onProgress?: ((done: number, total: number) => void) | undefined;
}

/** Sentences that are written at once. */
const pieceLength = 256;
/** Of what the program says of its failure. */
const mostLines = 5;

/**
 * The vectors of texts, from the cache or asked for now: rows of unit length as 16-bit floats.
 * @throws EidosError `engine_failed` where the command cannot be run, fails, or gives other rows than wanted;
 * `write_failed`, `aborted`
 */
export async function askCommand(
  texts: TextList,
  asked: TextCommand,
  { cache, signal, onProgress }: AskOptions,
): Promise<VectorFile> {
  const hash = createHash('sha256').update(JSON.stringify([asked.command, asked.width]));
  for (const text of textsIn(texts)) hash.update(`${JSON.stringify(text)}\n`);
  const path = join(cache, `${hash.digest('hex').slice(0, 24)}.f16`);
  const file: VectorFile = { path, type: 'float16', width: asked.width, rows: texts.length, offset: 0 };
  const isKept = async (): Promise<boolean> =>
    (await stat(path).catch(() => undefined))?.size === texts.length * asked.width * 2;
  if (await isKept()) return file;
  try {
    await mkdir(cache, { recursive: true });
    // Another training may be asking the same: what it is told is for both.
    await withLock(`${path}.lock`, { signal }, async () => {
      if (!(await isKept())) await ask(texts, asked, path, { signal, onProgress });
    });
  } catch (cause) {
    throw writeFailure(
      cause,
      (reason) =>
        `The vectors of sentences cannot be kept in ${cache}: ${reason}. Name another folder as textTeacher.cache.`,
    );
  }
  return file;
}

async function ask(
  texts: TextList,
  asked: TextCommand,
  path: string,
  { signal, onProgress }: Pick<AskOptions, 'signal' | 'onProgress'>,
): Promise<void> {
  requireGoing(signal);
  const { command, folder, width } = asked;
  const [program, ...words] = command as [string, ...string[]];
  const child = spawn(program, words, { cwd: folder, stdio: ['pipe', 'pipe', 'pipe'] });
  const stop = (): void => {
    child.kill();
    // What it has started itself may hold these open.
    for (const stream of [child.stdin, child.stdout, child.stderr]) stream.destroy();
  };
  const ended = endOf(child);
  signal?.addEventListener('abort', stop);
  const said = lastLines(child.stderr);
  const output = await open(`${path}.part`, 'w');
  try {
    // One that reads no further is told of by its end.
    const writing = pipeline(linesOf(texts), child.stdin).catch(() => undefined);
    const reading = readRows(child.stdout, width, texts.length, async (halves, done) => {
      await output.appendFile(halves);
      onProgress?.(done, texts.length);
    });
    // Nobody reads on, so that it would wait for ever.
    reading.catch(stop);
    const { cause, status, killed } = await ended;
    requireGoing(signal);
    if (cause !== undefined) throw failure(asked, `cannot be run: ${cause.message}`, cause);
    await writing;
    const wrong = await reading;
    if (status !== 0) throw failure(asked, `ended with ${killed ?? `the status ${status}`}${said()}`);
    if (wrong !== undefined) throw failure(asked, `${wrong}${said()}`);
    await output.close();
    await rename(`${path}.part`, path);
  } finally {
    signal?.removeEventListener('abort', stop);
    stop();
    await output.close().catch(() => undefined);
    await rm(`${path}.part`, { force: true });
  }
}

function requireGoing(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw new EidosError('aborted', 'Asking about sentences was aborted.');
}

/** How a program has ended, once all that it has said is there; `cause` where it has never begun. */
function endOf(
  child: ChildProcess,
): Promise<{ status?: number | null; killed?: string | null; cause?: Error }> {
  return new Promise((resolve) => {
    child.once('error', (cause) => resolve({ cause }));
    child.once('close', (status, killed) => resolve({ status, killed }));
  });
}

/** Each text as JSON on a line of its own, some lines at a time. */
function* linesOf(texts: TextList): Generator<string, void, undefined> {
  for (let first = 0; first < texts.length; first += pieceLength) {
    let piece = '';
    for (let at = first; at < Math.min(first + pieceLength, texts.length); at++) {
      piece += `${JSON.stringify(texts.at(at))}\n`;
    }
    yield piece;
  }
}

/**
 * Gives rows as 16-bit floats of unit length to `take`, in pieces.
 * @returns undefined, or what is wrong with them
 */
async function readRows(
  stdout: Readable,
  width: number,
  wanted: number,
  take: (halves: Uint8Array, done: number) => Promise<void>,
): Promise<string | undefined> {
  const bytesOfRow = 4 * width;
  let rest: Buffer = Buffer.alloc(0);
  let done = 0;
  let bytes = 0;
  let wrong: string | undefined;
  for await (const chunk of stdout as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    // What is too much is counted all the same.
    if (wrong !== undefined || bytes > wanted * bytesOfRow) continue;
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    const rows = Math.floor(rest.length / bytesOfRow);
    if (rows === 0) continue;
    const values = new Float32Array(rows * width);
    for (let row = 0; row < rows && wrong === undefined; row++) {
      if (!readRow(rest, row * bytesOfRow, values.subarray(row * width, (row + 1) * width))) {
        wrong = `gave a row (${done + row}, counted from 0) with numbers that are none (NaN or infinite)`;
      }
    }
    rest = rest.subarray(rows * bytesOfRow);
    done += rows;
    if (wrong === undefined) await take(new Uint8Array(toFloat16(values).buffer), done);
  }
  if (wrong !== undefined || bytes === wanted * bytesOfRow) return wrong;
  return `gave ${bytes} bytes: ${wanted} rows of ${width} 32-bit floats have ${wanted * bytesOfRow}`;
}

/** Whether all numbers are finite; then they are written, the row as long as one. */
function readRow(bytes: Buffer, from: number, row: Float32Array): boolean {
  let squares = 0;
  for (let i = 0; i < row.length; i++) {
    row[i] = bytes.readFloatLE(from + 4 * i);
    squares += row[i]! ** 2;
  }
  if (!Number.isFinite(squares)) return false;
  const factor = squares === 0 ? 0 : 1 / Math.sqrt(squares);
  for (let i = 0; i < row.length; i++) row[i]! *= factor;
  return true;
}

/** What a program has said last on its standard error, for the end of a sentence; empty where it has said nothing. */
function lastLines(stderr: Readable): () => string {
  let text = '';
  stderr.setEncoding('utf8').on('data', (more: string) => {
    text = (text + more).slice(-4000);
  });
  return () => {
    const lines = text.trimEnd().split('\n').slice(-mostLines);
    return text.trim() === '' ? '' : `; it said last:\n${lines.join('\n')}`;
  };
}

function failure({ command, folder }: TextCommand, what: string, cause?: Error): EidosError {
  return new EidosError(
    'engine_failed',
    `The text teacher "${command.join(' ')}" (in ${folder}) ${what}`,
    cause === undefined ? {} : { cause },
  );
}
