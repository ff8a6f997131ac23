/** One request to the server: its address, its key, and what becomes of an answer that is a problem. */
import { EidosError, type ErrorCode } from '../errors.ts';
import type { Problem } from '../server/schemas.ts';

export interface ClientOptions {
  /** Where the server is: `http://127.0.0.1:8080`. In a page that the server has sent, `location.origin`. */
  baseUrl: string | URL;
  /** The key of a server that demands one; pages sign in instead, see `signIn`. */
  apiKey?: string | undefined;
  /** Does the requests. @default the global fetch */
  fetch?: typeof fetch | undefined;
}

export interface RequestOptions {
  signal?: AbortSignal | undefined;
}

/** A problem that the server has answered with; `code` and message are those of the library there. */
export class ServerError extends EidosError {
  /** Of HTTP. */
  readonly status: number;
  /** RFC 9457 problem details, where the answer had them. */
  readonly problem: Problem | undefined;
  /** After how many seconds it makes sense to try again, where the server says so. */
  readonly retryAfter: number | undefined;

  constructor(problem: Problem | undefined, status: number, retryAfter?: number) {
    // Codes of a newer server pass as they are: `code` stays what it is across versions.
    const code = (problem?.code ?? 'server_failed') as ErrorCode;
    super(code, problem?.detail ?? `The server answered with status ${status}.`);
    this.name = 'ServerError';
    this.status = status;
    this.problem = problem;
    this.retryAfter = retryAfter;
  }
}

/** What a query string may hold; undefined is left out. */
export type Parameters = Readonly<Record<string, string | number | boolean | undefined>>;

export interface Requests {
  url(path: string, parameters?: Parameters): string;
  get<T>(path: string, parameters?: Parameters, options?: RequestOptions): Promise<T>;
  post<T>(path: string, body: unknown, options?: RequestOptions): Promise<T>;
  /** An answer that is read by the caller; problems are thrown. */
  send(path: string, init: RequestInit, options?: RequestOptions): Promise<Response>;
  /** The same, whatever the status. */
  sendAny(path: string, init: RequestInit, options?: RequestOptions): Promise<Response>;
}

/** @throws EidosError `invalid_option` for a base URL that is none */
export function createRequests({ baseUrl, apiKey, fetch: request = fetch }: ClientOptions): Requests {
  const base = baseOf(baseUrl);

  const url: Requests['url'] = (path, parameters = {}) => {
    const address = new URL(path, base);
    for (const [name, value] of Object.entries(parameters)) {
      if (value !== undefined) address.searchParams.set(name, String(value));
    }
    return address.href;
  };

  const sendAny: Requests['sendAny'] = async (path, init, { signal } = {}) => {
    const headers = new Headers(init.headers);
    if (apiKey !== undefined) headers.set('authorization', `Bearer ${apiKey}`);
    const own = signal === undefined ? {} : { signal };
    try {
      return await request(url(path), { credentials: 'same-origin', ...init, ...own, headers });
    } catch (cause) {
      throw requestError(cause, base, signal);
    }
  };

  const send: Requests['send'] = async (path, init, options) => {
    const response = await sendAny(path, init, options);
    if (response.ok) return response;
    throw new ServerError(await problemOf(response), response.status, retryAfterOf(response));
  };

  const json = async <T>(response: Response, signal: AbortSignal | undefined): Promise<T> => {
    try {
      return (await response.json()) as T;
    } catch (cause) {
      throw requestError(cause, base, signal);
    }
  };

  return {
    url,
    send,
    sendAny,
    async get<T>(path: string, parameters?: Parameters, options?: RequestOptions) {
      return json<T>(await send(url(path, parameters), {}, options), options?.signal);
    },
    async post<T>(path: string, body: unknown, options?: RequestOptions) {
      const init: RequestInit =
        body instanceof FormData
          ? { method: 'POST', body }
          : { method: 'POST', body: JSON.stringify(body), headers: { 'content-type': 'application/json' } };
      return json<T>(await send(path, init, options), options?.signal);
    },
  };
}

function baseOf(baseUrl: string | URL): URL {
  try {
    const base = new URL(baseUrl);
    if (!base.pathname.endsWith('/')) base.pathname += '/';
    return base;
  } catch (cause) {
    throw new EidosError('invalid_option', `baseUrl is "${baseUrl}": a URL like http://127.0.0.1:8080.`, {
      cause,
    });
  }
}

function requestError(cause: unknown, base: URL, signal: AbortSignal | undefined): EidosError {
  if (signal?.aborted) return new EidosError('aborted', 'The request was given up.', { cause });
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new EidosError(
    'server_failed',
    `${base.origin} did not answer (${reason}): is the server running?`,
    {
      cause,
    },
  );
}

async function problemOf(response: Response): Promise<Problem | undefined> {
  const isProblem = response.headers.get('content-type')?.startsWith('application/problem+json') ?? false;
  return isProblem ? ((await response.json().catch(() => undefined)) as Problem | undefined) : undefined;
}

function retryAfterOf({ headers }: Response): number | undefined {
  const text = headers.get('retry-after');
  return text !== null && /^\d+$/.test(text) ? Number(text) : undefined;
}
