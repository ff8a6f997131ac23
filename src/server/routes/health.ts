/** `/healthz`, `/readyz`, `/metrics`: for those who keep the server running. */
import { createRoute, z } from '@hono/zod-openapi';
import type { Api, ServerParts } from '../environment.ts';
import { healthAnswer, readyAnswer } from '../schemas.ts';
import { json, problems } from './answers.ts';

const healthRoute = createRoute({
  method: 'get',
  path: '/healthz',
  tags: ['Server'],
  summary: 'Whether the process answers at all',
  security: [],
  responses: { 200: json(healthAnswer, 'It does.') },
});

const readyRoute = createRoute({
  method: 'get',
  path: '/readyz',
  tags: ['Server'],
  summary: 'Whether requests should be sent here',
  security: [],
  responses: { 200: json(readyAnswer, 'Yes.'), 503: json(readyAnswer, 'Not now.') },
});

const metricsRoute = createRoute({
  method: 'get',
  path: '/metrics',
  tags: ['Server'],
  summary: 'Counts and durations in Prometheus’ form',
  responses: {
    200: { description: 'A metric a line.', content: { 'text/plain': { schema: z.string() } } },
    ...problems(),
  },
});

/** Embeds nothing more than a word once, so that the first request finds everything open. */
export function addHealth(api: Api, { clip, index, metrics, isShuttingDown }: ServerParts): void {
  api.openapi(healthRoute, (c) => c.json({ status: 'ok' as const }, 200));

  let warm: Promise<boolean> | undefined;
  const isModelReady = (): Promise<boolean> => {
    warm ??= clip.embedTexts('ready').then(
      () => true,
      () => {
        warm = undefined;
        return false;
      },
    );
    return warm;
  };

  api.openapi(readyRoute, async (c) => {
    const [model, isIndexReady] = await Promise.all([
      isModelReady(),
      // Any question will do, and this one is cheap: whoever watches a server asks often, and without a key.
      index?.picture('none').then(
        () => true,
        () => false,
      ),
    ]);
    const shuttingDown = isShuttingDown();
    const answer = {
      model,
      shuttingDown,
      ...(isIndexReady === undefined ? {} : { index: isIndexReady }),
    };
    if (model && isIndexReady !== false && !shuttingDown) {
      return c.json({ status: 'ready' as const, ...answer }, 200);
    }
    return c.json({ status: 'not ready' as const, ...answer }, 503);
  });

  api.openapi(metricsRoute, async (c) =>
    c.text(await metrics.text(), 200, { 'content-type': metrics.contentType }),
  );
}
