/**
 * Pictures by their URL, fetched so that nobody uses the server to look into its own network: every address that is
 * connected to is checked at that moment, every redirection anew, and bytes and time have limits.
 */
import { type LookupAddress, lookup as lookUp } from 'node:dns';
import { type IncomingMessage, request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import { isIP, type LookupFunction } from 'node:net';
import { EidosError } from '../../errors.ts';
import { isPublicAddress } from './addresses.ts';

export interface RemoteOptions {
  /** Bytes of a picture. */
  maxBytes: number;
  /** Whether an address may be connected to. @default public addresses only */
  isAllowed?: ((address: string) => boolean) | undefined;
}

const mostRedirections = 3;

/**
 * @throws EidosError `forbidden` for an address that is not public, `download_failed`, `image_too_large`, `aborted`
 */
export async function fetchRemotePicture(
  address: string,
  { maxBytes, isAllowed = isPublicAddress }: RemoteOptions,
  signal: AbortSignal,
): Promise<Uint8Array> {
  let url = parse(address);
  for (let redirections = 0; ; redirections++) {
    const response = await get(url, isAllowed, signal);
    const { statusCode = 0, headers } = response;
    if (statusCode === 200) return await readBytes(response, url, maxBytes);
    response.destroy();
    const isRedirection = [301, 302, 303, 307, 308].includes(statusCode) && headers.location !== undefined;
    if (!isRedirection) throw failed(url, `it was answered with status ${statusCode}`);
    if (redirections === mostRedirections) throw failed(url, 'it is redirected too often');
    url = parse(headers.location!, url);
  }
}

function parse(address: string, base?: URL): URL {
  let url: URL;
  try {
    url = new URL(address, base);
  } catch {
    throw new EidosError('invalid_option', 'The URL of a picture is not a valid one.');
  }
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    throw new EidosError(
      'invalid_option',
      `${url.protocol} is not fetched: pictures come from http and https URLs.`,
    );
  }
  if (url.username !== '' || url.password !== '') {
    throw new EidosError(
      'invalid_option',
      'The URL of a picture has a name or password in it: leave them out.',
    );
  }
  return url;
}

function get(
  url: URL,
  isAllowed: (address: string) => boolean,
  signal: AbortSignal,
): Promise<IncomingMessage> {
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
  // Numbers are connected to without being looked up.
  if (isIP(host) !== 0 && !isAllowed(host)) return Promise.reject(notPublic(url));
  const request = url.protocol === 'https:' ? requestHttps : requestHttp;
  const headers = { accept: 'image/*', 'accept-encoding': 'identity', 'user-agent': 'eidos' };
  return new Promise((resolve, reject) => {
    // No agent: a connection that is kept could have been made under another check.
    request(url, { lookup: checkedLookup(url, isAllowed), signal, agent: false, headers })
      .on('response', resolve)
      .on('error', (cause) => reject(errorOf(cause, url, signal)))
      .end();
  });
}

/** Looks a name up and hands on what is allowed, to be connected to as it is: it is not looked up again. */
function checkedLookup(url: URL, isAllowed: (address: string) => boolean): LookupFunction {
  return (host, options, callback) => {
    lookUp(host, { ...options, all: true }, (error, found: LookupAddress[]) => {
      if (error !== null) return callback(error, '', 0);
      // One address inside is enough: such a name is not meant for the internet, or means harm.
      if (found.length === 0 || found.some(({ address }) => !isAllowed(address))) {
        return callback(notPublic(url) as NodeJS.ErrnoException, '', 0);
      }
      if (options.all === true) callback(null, found);
      else callback(null, found[0]!.address, found[0]!.family);
    });
  };
}

async function readBytes(response: IncomingMessage, url: URL, maxBytes: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let length = Number(response.headers['content-length'] ?? 0);
  if (length > maxBytes) {
    response.destroy();
    throw tooLarge(url, maxBytes);
  }
  length = 0;
  try {
    for await (const chunk of response as AsyncIterable<Uint8Array>) {
      length += chunk.length;
      if (length > maxBytes) throw tooLarge(url, maxBytes);
      chunks.push(chunk);
    }
  } catch (cause) {
    throw errorOf(cause, url);
  }
  return Buffer.concat(chunks, length);
}

function errorOf(cause: unknown, url: URL, signal?: AbortSignal): EidosError {
  if (cause instanceof EidosError) return cause;
  if (signal?.aborted) return new EidosError('aborted', 'The request was given up.', { cause });
  return failed(url, (cause as Error).message, cause);
}

// Messages name the host and no more: the rest of a URL may be a secret.
function failed(url: URL, reason: string, cause?: unknown): EidosError {
  return new EidosError('download_failed', `The picture at ${url.host} could not be fetched: ${reason}.`, {
    cause,
  });
}

function notPublic(url: URL): EidosError {
  return new EidosError(
    'forbidden',
    `${url.host} is not on the public internet: the server fetches nothing from there.`,
  );
}

function tooLarge(url: URL, maxBytes: number): EidosError {
  return new EidosError('image_too_large', `The picture at ${url.host} has more than ${maxBytes} bytes.`);
}
