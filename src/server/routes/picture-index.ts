/** `GET /v1/index` and `POST /v1/index/sync`: how the index stands, and bringing it to the state of its folders. */
import { createRoute, z } from '@hono/zod-openapi';
import { streamSSE } from 'hono/streaming';
import type { Api, ServerParts } from '../environment.ts';
import { problemOf } from '../problems.ts';
import { indexAnswer } from '../schemas.ts';
import { json, problems } from './answers.ts';
import { requireIndex } from './index-questions.ts';

const indexRoute = createRoute({
  method: 'get',
  path: '/v1/index',
  tags: ['Index'],
  summary: 'How many pictures there are, of which folders and model',
  responses: { 200: json(indexAnswer, 'The index.'), ...problems(404, 504) },
});

const syncRoute = createRoute({
  method: 'post',
  path: '/v1/index/sync',
  tags: ['Index'],
  summary: 'Bring the index to the state of its folders',
  description:
    'Events: progress (SyncProgress) as often as wanted, then done (SyncReport) or error (Problem). Who asks while it is under way joins it; when the last one has left it stops, and goes on from there the next time.',
  responses: {
    200: {
      description: 'Server-sent events.',
      content: { 'text/event-stream': { schema: z.string() } },
    },
    ...problems(404),
  },
});

/** Unreadable files that are named one by one. */
const mostUnreadable = 1000;
/** Milliseconds between signs of life, so that nobody on the way takes the connection for a dead one. */
const heartbeat = 15_000;

export function addIndex(api: Api, { index, synchronisation }: ServerParts): void {
  api.openapi(indexRoute, async (c) => {
    const open = requireIndex(index);
    const [{ unreadable: unreadableCount, ...info }, unreadable] = await Promise.all([
      open.info(),
      open.unreadable(),
    ]);
    const answer = {
      ...info,
      unreadableCount,
      unreadable: unreadable.slice(0, mostUnreadable),
      syncing: synchronisation?.isRunning() ?? false,
    };
    return c.json(answer, 200);
  });

  api.openapi(syncRoute, (c) => {
    requireIndex(index);
    const requestId = c.get('requestId');
    const leaving = new AbortController();
    return streamSSE(c, async (stream) => {
      stream.onAbort(() => leaving.abort());
      const send = (event: string, data: unknown) => stream.writeSSE({ event, data: JSON.stringify(data) });
      const beat = setInterval(() => void stream.write(': still here\n\n'), heartbeat);
      try {
        const {
          unreadable,
          secondsOutsideNetwork: _,
          ...report
        } = await synchronisation!.join({
          signal: leaving.signal,
          onProgress: (progress) => void send('progress', progress),
        });
        await send('done', { ...report, unreadableCount: unreadable.length });
      } catch (error) {
        await send('error', problemOf(error, requestId).problem);
      } finally {
        clearInterval(beat);
      }
    });
  });
}
