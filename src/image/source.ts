/**
 * Where pictures come from: paths, URLs, bytes, blobs, streams and raw pixels, one or many of them. Whatever
 * the source, what comes out is bytes within a limit, or pixels, and a label that names it in messages.
 */
import { open } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { pathOfText } from '../disk/byte-names.ts';
import { EidosError } from '../errors.ts';

/** Pixels that are decoded already: rows from the top, channels interleaved. */
export interface RawPixels {
  data: Uint8Array | Uint8ClampedArray;
  width: number;
  height: number;
  /** 1 grey, 2 grey and alpha, 3 RGB, 4 RGB and alpha. */
  channels: 1 | 2 | 3 | 4;
}

/**
 * One picture: a path, a URL (`file:`, `data:`, and `http(s):` where the network is allowed) as a string or
 * `URL`, the bytes of a file, a stream of them, or raw pixels.
 */
export type ImageSource =
  | string
  | URL
  | Uint8Array
  | ArrayBuffer
  | Blob
  | ReadableStream<Uint8Array>
  | Readable
  | RawPixels;

/** One picture or many. */
export type ImageSources = ImageSource | Iterable<ImageSource> | AsyncIterable<ImageSource>;

export interface SourceOptions {
  /** Lets `http:` and `https:` URLs be fetched. @default false */
  allowNetwork?: boolean | undefined;
  /** The largest file that is read. @default 256 MiB */
  maxBytes?: number | undefined;
  signal?: AbortSignal | undefined;
}

/** Above any photograph; a stream that never ends stops here. */
export const defaultMaxBytes = 256 * 1024 * 1024;

/** One picture or many as an async iterable; streams of bytes count as one picture. */
export async function* images(sources: ImageSources): AsyncGenerator<ImageSource, void, undefined> {
  if (isImageSource(sources)) yield sources;
  else if (isIterable(sources) && !isNoList(sources)) yield* sources;
  else throw notASource(sources);
}

/** How a picture is called in messages: its path or URL where it has one, otherwise its kind and number. */
export function imageLabel(source: ImageSource, index?: number): string {
  if (typeof source === 'string' || source instanceof URL) {
    const text = String(source);
    return text.startsWith('data:') ? `${text.slice(0, 32)}…` : text;
  }
  if (typeof File !== 'undefined' && source instanceof File && source.name) return source.name;
  if (source instanceof Readable && 'path' in source && typeof source.path === 'string') return source.path;
  return index === undefined ? 'the picture' : `picture ${index}`;
}

/**
 * Reads the source to its end, or hands raw pixels through.
 * @throws EidosError `not_found`, `invalid_image`, `image_too_large` (over `maxBytes`), `offline`,
 * `download_failed`, `aborted`, `invalid_option` (no picture at all).
 */
export async function readSource(
  source: ImageSource,
  options: SourceOptions = {},
  label: string = imageLabel(source),
): Promise<Uint8Array | RawPixels> {
  const limit = { maxBytes: options.maxBytes ?? defaultMaxBytes, label, signal: options.signal };
  throwIfAborted(options.signal, label);
  if (typeof source === 'string') {
    if (/^(https?|data|file):/i.test(source)) return await readUrl(parseUrl(source, label), options, limit);
    return await readFile(source, limit);
  }
  if (source instanceof URL) return await readUrl(source, options, limit);
  if (source instanceof Uint8Array) return withinLimit(source, limit);
  if (source instanceof ArrayBuffer) return withinLimit(new Uint8Array(source), limit);
  // Bytes of a file under another name; as pixels they come with a width and a height.
  if ((source as unknown) instanceof Uint8ClampedArray) {
    const { buffer, byteOffset, byteLength } = source as unknown as Uint8ClampedArray;
    return withinLimit(new Uint8Array(buffer, byteOffset, byteLength), limit);
  }
  if (source instanceof Blob) {
    checkLength(source.size, limit);
    return new Uint8Array(await source.arrayBuffer());
  }
  if (isRawPixels(source)) return withChannels(source);
  if (isStream(source)) return await readStream(source as AsyncIterable<unknown>, limit);
  throw notASource(source);
}

interface Limit {
  maxBytes: number;
  label: string;
  signal: AbortSignal | undefined;
}

async function readUrl(url: URL, options: SourceOptions, limit: Limit): Promise<Uint8Array> {
  switch (url.protocol) {
    case 'file:':
      return await readFile(filePath(url, limit.label), limit);
    case 'data:':
      return readDataUrl(url.href, limit);
    case 'http:':
    case 'https:':
      if (options.allowNetwork) return await download(url, limit);
      throw new EidosError(
        'offline',
        `${limit.label} is on the network, which is not allowed: set allowNetwork, or download the file first.`,
      );
    default:
      throw new EidosError(
        'invalid_option',
        `${limit.label} has the scheme ${url.protocol}: pictures come from file:, data:, http: and https: URLs.`,
      );
  }
}

async function readFile(path: string, limit: Limit): Promise<Uint8Array> {
  try {
    const file = await open(pathOfText(path));
    try {
      const status = await file.stat();
      if (status.isDirectory()) {
        throw new EidosError('invalid_image', `${limit.label} is a folder: name the pictures in it.`);
      }
      // Pipes and devices have no length of their own, so only reading tells.
      if (!status.isFile()) return await readStream(file.createReadStream({ autoClose: false }), limit);
      checkLength(status.size, limit);
      return await file.readFile();
    } finally {
      await file.close();
    }
  } catch (cause) {
    if (cause instanceof EidosError) throw cause;
    const code = (cause as NodeJS.ErrnoException).code;
    const reason =
      code === 'ENOENT' || code === 'ENOTDIR' ? 'there is no such file' : (cause as Error).message;
    throw new EidosError('not_found', `${limit.label} cannot be opened: ${reason}.`, { cause });
  }
}

function readDataUrl(href: string, limit: Limit): Uint8Array {
  const comma = href.indexOf(',');
  if (comma < 0) throw new EidosError('invalid_image', `${limit.label} has no comma before its data.`);
  const body = href.slice(comma + 1);
  const base64 = /;\s*base64$/i.test(href.slice(0, comma));
  checkLength(base64 ? Math.floor((body.length * 3) / 4) : Math.floor(body.length / 3), limit);
  const text = body.replace(/%([0-9a-f]{2})/gi, (_, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 16)),
  );
  return withinLimit(Buffer.from(text, base64 ? 'base64' : 'latin1'), limit);
}

async function download(url: URL, limit: Limit): Promise<Uint8Array> {
  try {
    const response = await fetch(url, limit.signal ? { signal: limit.signal } : {});
    if (!response.ok || !response.body) {
      await response.body?.cancel();
      throw new EidosError('download_failed', `${limit.label} was answered with status ${response.status}.`);
    }
    const announced = Number(response.headers.get('content-length') ?? 0);
    if (announced > limit.maxBytes) await response.body.cancel();
    checkLength(announced, limit);
    return await readStream(response.body, limit);
  } catch (cause) {
    if (cause instanceof EidosError) throw cause;
    throwIfAborted(limit.signal, limit.label);
    throw new EidosError('download_failed', `${limit.label} could not be fetched: ${reasonOf(cause)}.`, {
      cause,
    });
  }
}

async function readStream(stream: AsyncIterable<unknown>, limit: Limit): Promise<Uint8Array> {
  const iterator = stream[Symbol.asyncIterator]();
  const abortion = rejectionOnAbort(limit);
  const chunks: Uint8Array[] = [];
  let length = 0;
  try {
    for (;;) {
      const { value: chunk, done } = await Promise.race([iterator.next(), abortion.promise]);
      if (done) return Buffer.concat(chunks, length);
      if (!(chunk instanceof Uint8Array)) {
        throw new EidosError('invalid_option', `${limit.label} is a stream of something else than bytes.`);
      }
      length += chunk.length;
      checkLength(length, limit);
      chunks.push(chunk);
    }
  } catch (cause) {
    // The source may never answer again: it is told to stop, and not waited for.
    if (stream instanceof Readable) stream.destroy();
    else iterator.return?.()?.catch(() => {});
    if (cause instanceof EidosError) throw cause;
    throw new EidosError('invalid_image', `${limit.label} broke off while being read: ${reasonOf(cause)}.`, {
      cause,
    });
  } finally {
    abortion.dispose();
  }
}

/** A promise that fails once the caller gives up, so that a stream that has stalled does not hold us. */
function rejectionOnAbort({ signal, label }: Limit): { promise: Promise<never>; dispose: () => void } {
  let onAbort = () => {};
  const promise = new Promise<never>((_, reject) => {
    onAbort = () => reject(abortedError(signal, label));
  });
  promise.catch(() => {});
  if (signal?.aborted) onAbort();
  signal?.addEventListener('abort', onAbort);
  return { promise, dispose: () => signal?.removeEventListener('abort', onAbort) };
}

function checkLength(length: number, limit: Limit): void {
  if (length <= limit.maxBytes) return;
  throw new EidosError(
    'image_too_large',
    `${limit.label} has more than ${limit.maxBytes} bytes: raise maxBytes if it is really meant.`,
  );
}

function withinLimit(bytes: Uint8Array, limit: Limit): Uint8Array {
  checkLength(bytes.length, limit);
  return bytes;
}

/** Throws `aborted` if the caller has given up. */
export function throwIfAborted(signal: AbortSignal | undefined, label: string): void {
  if (signal?.aborted) throw abortedError(signal, label);
}

function abortedError(signal: AbortSignal | undefined, label: string): EidosError {
  return new EidosError('aborted', `Reading ${label} was aborted.`, { cause: signal?.reason });
}

function parseUrl(text: string, label: string): URL {
  try {
    return new URL(text);
  } catch (cause) {
    throw new EidosError('invalid_option', `${label} is not a valid URL.`, { cause });
  }
}

function filePath(url: URL, label: string): string {
  try {
    return fileURLToPath(url);
  } catch (cause) {
    throw new EidosError('not_found', `${label} names no file on this machine.`, { cause });
  }
}

function reasonOf(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause);
  return cause.cause instanceof Error ? `${cause.message} (${cause.cause.message})` : cause.message;
}

/** Whether the value is one picture rather than a collection of them. */
export function isImageSource(value: unknown): value is ImageSource {
  return (
    typeof value === 'string' ||
    value instanceof URL ||
    value instanceof Uint8Array ||
    value instanceof Uint8ClampedArray ||
    value instanceof ArrayBuffer ||
    value instanceof Blob ||
    value instanceof ReadableStream ||
    (value instanceof Readable && !value.readableObjectMode) ||
    isRawPixels(value)
  );
}

/** The `ImageData` of a canvas has no channels: there are always four. */
function withChannels(pixels: RawPixels): RawPixels {
  if ('channels' in pixels) return pixels;
  const { data, width, height } = pixels as Omit<RawPixels, 'channels'>;
  return { data, width, height, channels: 4 };
}

function isStream(value: unknown): value is AsyncIterable<unknown> {
  return typeof value === 'object' && value !== null && Symbol.asyncIterator in value;
}

/** Whether the value has the fields of raw pixels; whether they fit together is checked when decoding. */
export function isRawPixels(value: unknown): value is RawPixels {
  return typeof value === 'object' && value !== null && 'data' in value && 'width' in value;
}

function isIterable(value: unknown): value is Iterable<ImageSource> | AsyncIterable<ImageSource> {
  return (
    typeof value === 'object' && value !== null && (Symbol.iterator in value || Symbol.asyncIterator in value)
  );
}

/** Iterables whose members are no pictures: numbers of a typed array, entries of a map or a form. */
function isNoList(value: object): boolean {
  return ArrayBuffer.isView(value) || value instanceof Map || value instanceof FormData;
}

function notASource(value: unknown): EidosError {
  const kind =
    typeof value === 'object' && value !== null
      ? `${/^[AEIOU]/.test(value.constructor?.name ?? '') ? 'an' : 'a'} ${value.constructor?.name ?? 'object'}`
      : String(value === null ? 'null' : typeof value);
  return new EidosError(
    'invalid_option',
    `A picture was expected (path, URL, bytes, Blob, stream or raw pixels), or several of them, but this is ${kind}.`,
  );
}
