/** `GET` and `POST /v1/search`: the pictures of the index that fit words, a picture, or a sum of both. */
import { createRoute, type z } from '@hono/zod-openapi';
import { parseQuery } from '../../tasks/search/query/parse.ts';
import type { QueryPart, SearchIndex, SearchQuery } from '../../tasks/search/types.ts';
import type { Api, ServerParts } from '../environment.ts';
import type { PictureReader } from '../pictures/received.ts';
import { mostHits, searchAnswer, searchParameters, searchRequest } from '../schemas.ts';
import { json, jsonBody, problems } from './answers.ts';
import { filtersOf, requireIndex } from './index-questions.ts';

const responses = {
  200: json(searchAnswer, 'The pictures that fit, best first; none where nothing fits.'),
  ...problems(400, 404, 409, 413, 415, 422, 502, 504),
};

const wordsRoute = createRoute({
  method: 'get',
  path: '/v1/search',
  tags: ['Search'],
  summary: 'Pictures that fit words',
  request: { query: searchParameters },
  responses,
});

const queryRoute = createRoute({
  method: 'post',
  path: '/v1/search',
  tags: ['Search'],
  summary: 'Pictures that fit words, a picture, or a weighted sum of both',
  description: 'q, image, picture and parts add up: what is given counts.',
  request: { body: jsonBody(searchRequest) },
  responses,
});

/** Hits of a page that does not say how many it wants. */
const defaultTopK = 50;

export function addSearch(api: Api, { index, readPicture }: ServerParts): void {
  api.openapi(wordsRoute, async (c) => {
    const { q, topK, offset, cutOff, hybrid, collapse, ...filters } = c.req.valid('query');
    const options = { topK: topK ?? defaultTopK, offset, cutOff, hybrid, collapse, signal: c.get('signal') };
    const answer = await requireIndex(index).search(q, { ...options, filters: filtersOf(filters) });
    return c.json(answer, 200);
  });

  api.openapi(queryRoute, async (c) => {
    const { topK = defaultTopK, offset, cutOff, hybrid, collapse, filters, ...query } = c.req.valid('json');
    const signal = c.get('signal');
    const open = requireIndex(index);
    const answer = await search(open, query, readPicture, {
      ...{ topK: Math.min(topK, mostHits), offset, cutOff, hybrid, collapse, signal },
      filters: filtersOf(filters ?? {}),
    });
    return c.json(answer, 200);
  });
}

type Query = Pick<z.output<typeof searchRequest>, 'q' | 'image' | 'picture' | 'parts'>;

async function search(
  index: SearchIndex,
  { q, image, picture, parts = [] }: Query,
  readPicture: PictureReader,
  options: NonNullable<Parameters<SearchIndex['search']>[1]> & { signal: AbortSignal },
): Promise<z.output<typeof searchAnswer>> {
  const read = (text: string) => readPicture(text, options.signal);
  const ofParts = parts.map(async ({ text, image: given, picture: id, weight }): Promise<QueryPart> => {
    if (text !== undefined) return { text, weight };
    // A part has exactly one of the three: its schema says so.
    return given === undefined ? { id: id!, weight } : { image: await read(given), weight };
  });
  const query: SearchQuery = {
    parts: [
      ...(q === undefined ? [] : (parseQuery(q).parts ?? [])),
      ...(image === undefined ? [] : [{ image: await read(image) }]),
      ...(picture === undefined ? [] : [{ id: picture }]),
      ...(await Promise.all(ofParts)),
    ],
  };
  return index.search(query, options);
}
