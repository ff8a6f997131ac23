/** `POST /v1/session`: a cookie in place of the key, for pages; pictures on a page cannot send a header. */
import { createRoute } from '@hono/zod-openapi';
import { deleteCookie, setCookie } from 'hono/cookie';
import type { Api, ServerParts } from '../environment.ts';
import { sessionCookie } from '../guards/access.ts';
import { RequestError } from '../problems.ts';
import { sessionRequest } from '../schemas.ts';
import { jsonBody, problems } from './answers.ts';

const signInRoute = createRoute({
  method: 'post',
  path: '/v1/session',
  tags: ['Server'],
  summary: 'Sign a browser in',
  description: 'Sets a cookie that only this server gets and no script can read.',
  security: [],
  request: { body: jsonBody(sessionRequest) },
  responses: { 204: { description: 'Signed in, or no key is needed.' }, ...problems(400, 413, 415) },
});

const signOutRoute = createRoute({
  method: 'delete',
  path: '/v1/session',
  tags: ['Server'],
  summary: 'Sign a browser out',
  security: [],
  responses: { 204: { description: 'Signed out.' }, ...problems() },
});

/** Thirty days, in seconds. */
const lifetime = 30 * 24 * 60 * 60;

export function addSession(api: Api, { access }: ServerParts): void {
  api.openapi(signInRoute, (c) => {
    if (!access.isGuarded) return c.body(null, 204);
    const session = access.sessionOf(c.req.valid('json').apiKey);
    if (session === undefined) {
      throw new RequestError('unauthorized', 'This API key is not the right one.');
    }
    setCookie(c, sessionCookie, session, {
      httpOnly: true,
      sameSite: 'Strict',
      path: '/',
      maxAge: lifetime,
      secure: new URL(c.req.url).protocol === 'https:',
    });
    return c.body(null, 204);
  });
  api.openapi(signOutRoute, (c) => {
    deleteCookie(c, sessionCookie, { path: '/' });
    return c.body(null, 204);
  });
}
