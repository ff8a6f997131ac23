/** How large a request may be, how many are answered at a time, and how long one may take. */
import { setMaxListeners } from 'node:events';
import type { MiddlewareHandler } from 'hono';
import { EidosError } from '../../errors.ts';
import { createAdmission } from '../batching/admission.ts';
import type { ServerEnvironment } from '../environment.ts';
import type { Limits } from '../options.ts';
import { RequestError } from '../problems.ts';

/** Requests over the limit are refused: before they are read where they say how large they are, while they are otherwise. */
export function sizeGuard({ requestBytes }: Limits): MiddlewareHandler {
  const tooLarge = () =>
    new RequestError(
      'request_too_large',
      `The request has more than ${requestBytes} bytes: send fewer or smaller pictures at a time.`,
    );
  return async function limitSize(c, next) {
    const { url, method, headers, signal, body } = c.req.raw;
    if (body === null) return next();
    const announced = headers.get('content-length');
    // Node ends a body where its announced length ends.
    if (announced !== null && !headers.has('transfer-encoding')) {
      if (Number(announced) > requestBytes) throw tooLarge();
      return next();
    }
    const chunks: Uint8Array[] = [];
    let length = 0;
    for await (const chunk of body as unknown as AsyncIterable<Uint8Array>) {
      length += chunk.length;
      if (length > requestBytes) throw tooLarge();
      chunks.push(chunk);
    }
    c.req.raw = new Request(url, { method, headers, signal, body: Buffer.concat(chunks, length) });
    return next();
  };
}

/** Takes on so many requests with so many bytes at a time; the others are told to come again. */
export function roomGuard({ openRequests, openBytes, requestBytes }: Limits): MiddlewareHandler {
  const requests = createAdmission(openRequests, 'requests');
  const bytes = createAdmission(openBytes, 'bytes');
  return async function takeOn(c, next) {
    const leaveRequests = requests.enter(1);
    try {
      const announced = Number(
        c.req.header('content-length') ?? (c.req.raw.body === null ? 0 : requestBytes),
      );
      const leaveBytes = bytes.enter(
        Number.isFinite(announced) ? Math.min(announced, requestBytes) : requestBytes,
      );
      try {
        await next();
      } finally {
        leaveBytes();
      }
    } finally {
      leaveRequests();
    }
  };
}

/**
 * Gives a request a signal that comes when the client has left, the server closes for good, or the time is over.
 * Work that does not listen is not waited for.
 */
export function timeGuard(
  { requestTime }: Limits,
  closing: AbortSignal,
): MiddlewareHandler<ServerEnvironment> {
  return async function limitTime(c, next) {
    const { signal: client } = c.req.raw;
    const own = new AbortController();
    const { signal } = own;
    // A request of many pictures has as many listeners, which Node would take for a leak.
    setMaxListeners(0, signal);
    c.set('signal', signal);
    // By hand, not by AbortSignal.any: what is joined to a signal that lives on lives as long.
    const timer = setTimeout(() => own.abort(timedOut(requestTime)), requestTime);
    const onClient = () => own.abort(new EidosError('aborted', 'The client has left.'));
    const onClosing = () => own.abort(closing.reason);
    let onAbort = () => {};
    const given = new Promise<never>((_, reject) => {
      onAbort = () => reject(signal.reason);
    });
    signal.addEventListener('abort', onAbort);
    client.addEventListener('abort', onClient);
    closing.addEventListener('abort', onClosing);
    if (client.aborted) onClient();
    if (closing.aborted) onClosing();
    try {
      await Promise.race([next(), given]);
    } finally {
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
      client.removeEventListener('abort', onClient);
      closing.removeEventListener('abort', onClosing);
    }
  };
}

function timedOut(requestTime: number): EidosError {
  return new EidosError(
    'timed_out',
    `The answer was not ready after ${requestTime / 1000} s: ask for less at a time.`,
  );
}
