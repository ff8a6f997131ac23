/** `GET /v1/models`: what this server answers with, in the shape of OpenAI's list. */
import { createRoute } from '@hono/zod-openapi';
import type { Api, ServerParts } from '../environment.ts';
import { modelsAnswer } from '../schemas.ts';
import { json, problems } from './answers.ts';

const route = createRoute({
  method: 'get',
  path: '/v1/models',
  tags: ['Server'],
  summary: 'The model of this server',
  responses: { 200: json(modelsAnswer, 'A list of one.'), ...problems() },
});

export function addModels(api: Api, { clip, startedAt }: ServerParts): void {
  api.openapi(route, (c) => {
    const { model, architecture, preprocessing, device, dtype, fingerprint } = clip.config;
    const entry = {
      id: model,
      object: 'model' as const,
      created: startedAt,
      owned_by: 'eidos',
      embedding_size: clip.embeddingSize,
      image_size: preprocessing.size,
      context_length: architecture.text.contextLength,
      device,
      dtype,
      fingerprint,
    };
    return c.json({ object: 'list' as const, data: [entry] }, 200);
  });
}
