/** `GET /v1/models`, and one of them: what this server answers with, in the shapes of OpenAI's. */
import { createRoute } from '@hono/zod-openapi';
import { EidosError } from '../../errors.ts';
import type { Api, ServerParts } from '../environment.ts';
import { modelAnswer, modelParameters, modelsAnswer } from '../schemas.ts';
import { json, problems } from './answers.ts';

const all = createRoute({
  method: 'get',
  path: '/v1/models',
  tags: ['Server'],
  summary: 'The model of this server',
  responses: { 200: json(modelsAnswer, 'A list of one.'), ...problems() },
});

const one = createRoute({
  method: 'get',
  path: '/v1/models/{id}',
  tags: ['Server'],
  summary: 'The model of this name',
  request: { params: modelParameters },
  responses: { 200: json(modelAnswer, 'As in the list.'), ...problems(404) },
});

export function addModels(api: Api, { clip, startedAt }: ServerParts): void {
  const entry = () => {
    const { model, architecture, preprocessing, device, dtype, fingerprint } = clip.config;
    return {
      id: model,
      object: 'model' as const,
      created: startedAt,
      owned_by: 'eidos',
      embedding_size: clip.embeddingSize,
      image_size: typeof preprocessing.size === 'number' ? preprocessing.size : [...preprocessing.size],
      context_length: architecture.text.contextLength,
      device,
      dtype,
      fingerprint,
    };
  };
  const named = (id: string) => {
    const { model } = clip.config;
    if (id === model) return entry();
    throw new EidosError('not_found', `This server has the model ${model}, not ${id}.`);
  };
  api.openapi(all, (c) => c.json({ object: 'list' as const, data: [entry()] }, 200));
  api.openapi(one, (c) => c.json(named(c.req.valid('param').id), 200));
  // Names on the hub have a slash, which not every client writes as %2F.
  api.get('/v1/models/:id{.+}', (c) => c.json(named(c.req.param('id')), 200));
}
