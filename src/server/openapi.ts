/** The OpenAPI document, made from the routes and their schemas: what it says is what is validated. */
import { readFileSync } from 'node:fs';
import type { Api } from './environment.ts';
import { problemKinds } from './problems.ts';

const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
  version: string;
};

/** OpenAPI 3.1. */
export function openApiDocument(api: Api, { isGuarded }: { isGuarded: boolean }): object {
  api.openAPIRegistry.registerComponent('securitySchemes', 'apiKey', {
    type: 'http',
    scheme: 'bearer',
    description: 'An API key of this server.',
  });
  return api.getOpenAPI31Document({
    openapi: '3.1.0',
    info: {
      title: 'eidos',
      version,
      description: 'Pictures and words in one space: embeddings, zero-shot classification, search.',
    },
    tags: ['Embeddings', 'Classification', 'Search', 'Pictures', 'Index', 'Server'].map((name) => ({ name })),
    // What the types of problems lead to.
    'x-problem-codes': problemKinds,
    ...(isGuarded ? { security: [{ apiKey: [] }] } : {}),
  });
}
