/** The OpenAPI document, made from the routes and their schemas: what it says is what is validated. */
import { readFileSync } from 'node:fs';
import type { Api } from './environment.ts';
import { operationExamples } from './openapi-examples.ts';
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
  const document = api.getOpenAPI31Document({
    openapi: '3.1.0',
    info: {
      title: 'eidos',
      version,
      description: 'Pictures and words in one space: embeddings, zero-shot classification, search.',
    },
    servers: [{ url: '/', description: 'This server.' }],
    tags: ['Embeddings', 'Classification', 'Search', 'Pictures', 'Index', 'Server'].map((name) => ({ name })),
    // What the types of problems lead to.
    'x-problem-codes': problemKinds,
    ...(isGuarded ? { security: [{ apiKey: [] }] } : {}),
  });
  for (const [path, operations] of Object.entries(document.paths ?? {})) {
    for (const [method, operation] of Object.entries(operations)) {
      describe(operation as Operation, method, path);
    }
  }
  return document;
}

interface Operation {
  operationId?: string;
  requestBody?: { content: Record<string, { example?: unknown }> };
  responses: Record<string, { content?: Record<string, { example?: unknown }> }>;
}

/** Gives an operation its name and its examples. */
function describe(operation: Operation, method: string, path: string): void {
  operation.operationId = operationId(method, path);
  const { request, answer } = operationExamples[`${method} ${path}`] ?? {};
  const taken = operation.requestBody?.content['application/json'];
  if (taken !== undefined && request !== undefined) taken.example = request;
  const [given] = Object.entries(operation.responses[200]?.content ?? {}).filter(([type]) => isText(type));
  if (given !== undefined && answer !== undefined) given[1].example = answer;
}

/** Whether a document can show what is sent; of pictures it cannot. */
function isText(type: string): boolean {
  return type === 'application/json' || type.startsWith('text/');
}

/** `get /v1/pictures/{id}/similar` → `getPicturesByIdSimilar`: generated clients name their methods so. */
function operationId(method: string, path: string): string {
  const words = path
    .replace(/^\/v1\//, '/')
    .split('/')
    .filter((part) => part !== '')
    .map((part) =>
      part.replace(/^\{(\w)(.*)\}$/, (_, first: string, rest: string) => `By${first.toUpperCase()}${rest}`),
    );
  return method + words.map((word) => word[0]!.toUpperCase() + word.slice(1)).join('');
}
