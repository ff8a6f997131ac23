/**
 * Who may use the API: everybody, or who has a key, as a bearer token (the way of OpenAI's clients) or, in browsers,
 * as a cookie that was given for it. Pictures on a page cannot send a header.
 */
import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import type { MiddlewareHandler } from 'hono';
import { getCookie } from 'hono/cookie';
import { RequestError } from '../problems.ts';

export const sessionCookie = 'eidos_session';

export interface Access {
  /** Whether keys are asked for at all. */
  readonly isGuarded: boolean;
  /** What the cookie holds for a key: not the key itself, and the same after a restart; undefined for a wrong key. */
  sessionOf(key: string): string | undefined;
  /** Refuses requests without a key or a session. */
  readonly guard: MiddlewareHandler;
}

export function createAccess(keys: readonly string[]): Access {
  const keyDigests = keys.map(digest);
  const sessions = keys.map(sessionToken);
  const sessionDigests = sessions.map(digest);

  return {
    isGuarded: keys.length > 0,
    sessionOf: (key) => sessions[indexIn(keyDigests, key)],
    async guard(c, next) {
      if (keys.length === 0) return next();
      const bearer = /^Bearer +(\S+)$/i.exec(c.req.header('authorization') ?? '')?.[1];
      if (bearer !== undefined && indexIn(keyDigests, bearer) >= 0) return next();
      const session = getCookie(c, sessionCookie);
      if (session !== undefined && indexIn(sessionDigests, session) >= 0) return next();
      const what =
        bearer === undefined ? 'This server wants an API key' : 'This API key is not the right one';
      throw new RequestError('unauthorized', `${what}: send it as Authorization: Bearer KEY.`, {
        headers: { 'www-authenticate': 'Bearer realm="eidos"' },
      });
    },
  };
}

function sessionToken(key: string): string {
  return createHmac('sha256', key).update('eidos session').digest('base64url');
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

/** Compares digests, all of them, so that the time tells nothing of a key. */
function indexIn(digests: readonly Buffer[], candidate: string): number {
  const own = digest(candidate);
  return digests.reduce((found, other, i) => (timingSafeEqual(own, other) ? i : found), -1);
}
