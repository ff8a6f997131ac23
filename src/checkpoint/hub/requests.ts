/** Requests to the hub, whose failures become errors that say what to do. */
import { EidosError } from '../../errors.ts';
import type { HubSettings } from './settings.ts';

/** What is asked for, for messages. */
export interface Asked {
  id: string;
  revision: string;
  file?: string;
}

/**
 * A `fetch` for one model: it sends the token to the endpoint and to nobody else, and fails on any status that is no
 * success (416 aside, which a resumed download handles).
 */
export function hubFetch(settings: HubSettings, asked: Asked, signal: AbortSignal | undefined): typeof fetch {
  const origin = new URL(settings.endpoint).origin;
  return async (input, init) => {
    const url = input instanceof Request ? input.url : String(input);
    const headers = new Headers(init?.headers);
    if (settings.token !== undefined && new URL(url).origin === origin) {
      headers.set('Authorization', `Bearer ${settings.token}`);
    }
    let response: Response;
    try {
      response = await fetch(input, { ...init, headers, ...(signal === undefined ? {} : { signal }) });
    } catch (cause) {
      throw networkError(cause, describe(asked), settings, signal);
    }
    if (response.ok || response.status === 416) return response;
    await response.body?.cancel();
    throw statusError(response, asked, settings);
  };
}

/** What went wrong below HTTP, or that the caller gave up. */
export function networkError(
  cause: unknown,
  what: string,
  settings: HubSettings,
  signal: AbortSignal | undefined,
): EidosError {
  if (signal?.aborted === true)
    return new EidosError('aborted', `The download of ${what} was aborted.`, { cause });
  const inner = cause instanceof Error && cause.cause instanceof Error ? cause.cause : cause;
  const reason = inner instanceof Error ? inner.message : String(inner);
  return new EidosError(
    'download_failed',
    `${what} could not be fetched from ${settings.endpoint} (${reason}). Check the connection, or set HF_ENDPOINT to a mirror; what has arrived is kept.`,
    { cause },
  );
}

export function describe({ id, revision, file }: Asked): string {
  return `${file === undefined ? '' : `'${file}' of `}${id}${revision === 'main' ? '' : `@${revision}`}`;
}

/** The hub says in a header what the status alone does not. */
function statusError(response: Response, asked: Asked, settings: HubSettings): EidosError {
  const { status } = response;
  const code = response.headers.get('x-error-code') ?? '';
  const what = describe(asked);
  const page = `${settings.endpoint}/${asked.id}`;
  const token =
    settings.token === undefined ? 'set HF_TOKEN or pass a token' : 'check that the token may read it';
  if (code === 'GatedRepo' || (status === 403 && code !== 'RepoNotFound')) {
    return new EidosError('download_failed', `${what} is gated: accept its terms at ${page} and ${token}.`);
  }
  if (code === 'RevisionNotFound') {
    return new EidosError('not_found', `${asked.id} has no revision '${asked.revision}' (see ${page}).`);
  }
  if (status === 404) return new EidosError('not_found', `${what} is not on the hub (${page}).`);
  // Without a token the hub answers 401 both for private models and for such that do not exist.
  if (status === 401 && code === 'RepoNotFound') {
    return new EidosError(
      'not_found',
      `${what} is not on the hub, or private: check the name, or ${token} (${page}).`,
    );
  }
  if (status === 401)
    return new EidosError('download_failed', `${what} needs a valid token (status 401): ${token}.`);
  // A cause marks what may pass: such a request is repeated.
  const passing = status >= 500 || status === 429 || status === 408;
  return new EidosError(
    'download_failed',
    `${settings.endpoint} answered ${status} for ${what}; try again later.`,
    passing ? { cause: new Error(`status ${status}`) } : {},
  );
}
