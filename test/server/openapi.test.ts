/** The OpenAPI document is sound, and thousands of requests made from it, wrong somewhere, meet a server that explains itself. */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import type { Clip } from '../../src/clip/clip.ts';
import { clipPreprocessing } from '../../src/models/preprocessing.ts';
import { createApp, type ServerApp } from '../../src/server/app.ts';
import { operationExamples } from '../../src/server/openapi-examples.ts';
import * as schemas from '../../src/server/schemas.ts';
import { createFakeIndex, type FakeIndex } from './fake-index.ts';
import { type ApiDocument, malformedRequests } from './malformed.ts';
import { plainPicture, request } from './requests.ts';

interface ShownOperation {
  operationId: string;
  requestBody?: { content: Record<string, { example?: unknown }> };
  responses: Record<string, { content?: Record<string, { example?: unknown }> }>;
}

/** As many as fit into a run of all tests; EIDOS_MALFORMED_REQUESTS=10000 takes a minute or two. */
const requests = Number(process.env.EIDOS_MALFORMED_REQUESTS ?? 1000);

let app: ServerApp;
let index: FakeIndex;
let document: ApiDocument;
beforeAll(async () => {
  index = createFakeIndex({ red: plainPicture([255, 0, 0]), 'a-1': plainPicture([0, 0, 255]) });
  // Synchronisations end at once: what is looked at is what comes before.
  index.sync = async () => {
    throw new Error('unforeseen');
  };
  app = await createApp({ clip: clipOfZeros(), openIndex: async () => index });
  document = (await request(app, '/openapi.json')).body as ApiDocument;
});

describe('the document', () => {
  test('is OpenAPI 3.1 and tells of every address', () => {
    expect(document.openapi).toBe('3.1.0');
    expect(Object.keys(document.paths).sort()).toEqual([
      '/healthz',
      '/metrics',
      '/readyz',
      '/v1/classify',
      '/v1/embeddings',
      '/v1/index',
      '/v1/index/sync',
      '/v1/models',
      '/v1/models/{id}',
      '/v1/pictures',
      '/v1/pictures/{id}',
      '/v1/pictures/{id}/file',
      '/v1/pictures/{id}/keywords',
      '/v1/pictures/{id}/similar',
      '/v1/pictures/{id}/thumbnail',
      '/v1/search',
      '/v1/session',
    ]);
  });

  test('says where it is, names every operation once, and shows each body that can be shown', () => {
    const { servers } = document as unknown as { servers: unknown };
    expect(servers).toEqual([{ url: '/', description: expect.any(String) }]);
    const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.entries(methods as unknown as Record<string, ShownOperation>).map(([method, operation]) => ({
        name: `${method} ${path}`,
        ...operation,
      })),
    );
    const ids = operations.map(({ operationId }) => operationId);
    expect(new Set(ids).size).toBe(operations.length);
    expect(ids).toContain('getPicturesByIdSimilar');
    for (const { name, requestBody, responses } of operations) {
      const taken = requestBody?.content['application/json'];
      if (requestBody !== undefined) expect(taken?.example, name).toBeDefined();
      for (const [type, given] of Object.entries(responses[200]?.content ?? {})) {
        if (/json|text/.test(type)) expect(given.example, `${name} ${type}`).toBeDefined();
      }
    }
    expect(
      Object.keys(operationExamples).filter((name) => !operations.some((one) => one.name === name)),
    ).toEqual([]);
  });

  test('examples are what the schemas take and give', () => {
    const { request: embed, answer: embedded } = operationExamples['post /v1/embeddings']!;
    const { request: classify, answer: classified } = operationExamples['post /v1/classify']!;
    const { request: search, answer: found } = operationExamples['post /v1/search']!;
    for (const [schema, example] of [
      [schemas.embeddingsRequest, embed],
      [schemas.embeddingsAnswer, embedded],
      [schemas.classifyRequest, classify],
      [schemas.classifyAnswer, classified],
      [schemas.searchRequest, search],
      [schemas.searchAnswer, found],
      [schemas.searchAnswer, operationExamples['get /v1/pictures/{id}/similar']!.answer],
      [schemas.browseAnswer, operationExamples['get /v1/pictures']!.answer],
      [schemas.picture, operationExamples['get /v1/pictures/{id}']!.answer],
      [schemas.keywordsAnswer, operationExamples['get /v1/pictures/{id}/keywords']!.answer],
      [schemas.indexAnswer, operationExamples['get /v1/index']!.answer],
      [schemas.modelsAnswer, operationExamples['get /v1/models']!.answer],
      [schemas.modelAnswer, operationExamples['get /v1/models/{id}']!.answer],
      [schemas.sessionRequest, operationExamples['post /v1/session']!.request],
      [schemas.healthAnswer, operationExamples['get /healthz']!.answer],
      [schemas.readyAnswer, operationExamples['get /readyz']!.answer],
    ] as const) {
      expect(schema.safeParse(example).error).toBeUndefined();
    }
  });

  test('every reference leads somewhere', () => {
    const references = [...JSON.stringify(document).matchAll(/"\$ref":"#\/components\/schemas\/(\w+)"/g)];
    expect(references.length).toBeGreaterThan(10);
    for (const [, name] of references) expect(document.components.schemas).toHaveProperty(name!);
  });

  test('the page about it asks for nothing from elsewhere', async () => {
    for (const path of ['/docs', '/docs/page.css', '/docs/page.js']) {
      const { status, text } = await request(app, path);
      expect(status).toBe(200);
      expect(text).not.toMatch(/https?:\/\//);
    }
    const { headers } = await request(app, '/docs');
    expect(headers.get('content-security-policy')).toMatch(/default-src 'none'; script-src 'self';/);
  });
});

test(`${requests} malformed requests: no crash, no unexplained answer, no growth of memory`, async () => {
  const codes = Object.keys(document['x-problem-codes']);
  const statuses = new Map<number, number>();
  const property = fc.asyncProperty(malformedRequests(document), async (malformed) => {
    const { method, path, headers, body, documented } = malformed;
    let asked: Request;
    try {
      asked = new Request(`http://localhost${path}`, { method, headers, body: body ?? null });
    } catch {
      return; // no client could send it
    }
    const response = await app.fetch(asked);
    const text = await response.text();
    statuses.set(response.status, (statuses.get(response.status) ?? 0) + 1);
    // An id that is empty or has a slash in it makes another address of it, with other methods.
    expect([...documented, 404, 405]).toContain(response.status);
    expect(response.status).not.toBe(500);
    if (response.status < 400 || asked.url.endsWith('/readyz')) return;
    expect(response.headers.get('content-type')).toBe('application/problem+json');
    const problem = JSON.parse(text) as { code: string; status: number; detail: string };
    expect(problem.status).toBe(response.status);
    expect(codes).toContain(problem.code);
    expect(problem.detail.length).toBeGreaterThan(10);
  });
  await fc.assert(property, { numRuns: requests / 4, endOnFailure: true });
  const before = heapInUse();
  await fc.assert(property, { numRuns: (requests * 3) / 4, endOnFailure: true });
  const growth = heapInUse() - before;
  console.log(
    `Statuses of ${requests} requests: ${JSON.stringify(Object.fromEntries(statuses))}; ${Math.round(growth / 1024)} KiB more in use.`,
  );
  expect(growth).toBeLessThan(16 * 1024 * 1024);
  // Both kinds must have been among them, or nothing was shown.
  expect(statuses.get(200)).toBeGreaterThan(100);
  expect(statuses.get(400)).toBeGreaterThan(100);
  expect(await request(app, '/healthz')).toMatchObject({ status: 200 });
}, 600_000);

function heapInUse(): number {
  setFlagsFromString('--expose-gc');
  (runInNewContext('gc') as () => void)();
  return process.memoryUsage().heapUsed;
}

/** A clip that answers at once, so that the time goes into requests. */
function clipOfZeros(): Clip {
  const embeddingSize = 4;
  const rows = async (count: number) => ({
    data: new Float32Array(count * embeddingSize).fill(0.5),
    shape: [count, embeddingSize],
  });
  const clip: Partial<Clip> = {
    config: {
      model: 'zeros',
      fingerprint: 'zeros',
      layout: 'hugging_face_clip',
      device: 'cpu',
      dtype: 'fp32',
      passedOver: [],
      tokenizer: undefined,
      textRules: undefined,
      architecture: { probability: 'softmax', text: { contextLength: 16 } } as Clip['config']['architecture'],
      preprocessing: { size: 8, ...clipPreprocessing },
    },
    embeddingSize,
    logitScale: 100,
    logitBias: 0,
    embedTexts: (texts) => rows(typeof texts === 'string' ? 1 : [...texts].length),
    embedPixels: ({ shape }) => rows(shape[0]!),
    similarity: (a, b) => ({
      data: new Float32Array(a.shape[0]! * b.shape[0]!),
      shape: [a.shape[0]!, b.shape[0]!],
    }),
    tokenizer: async () =>
      ({
        encode: (text: string) => [...text].map(() => 1),
        // A row a text, no two alike.
        tokenize: (texts: readonly string[]) => ({
          data: BigInt64Array.from(texts, (_, row) => BigInt(row)),
          shape: [texts.length, 1],
          owner: texts.map((_, row) => row),
        }),
        contextLength: 16,
      }) as never,
  };
  return clip as Clip;
}
