/** `GET /v1/pictures…`: what is known of a picture of the index, its file, a small one, similar ones, its words. */
import { createHash } from 'node:crypto';
import { basename, extname } from 'node:path';
import { createRoute, z } from '@hono/zod-openapi';
import type { Context } from 'hono';
import { EidosError } from '../../errors.ts';
import { type PictureFormat, readHeader } from '../../image/header.ts';
import type { IndexedPicture, SearchIndex } from '../../tasks/search/types.ts';
import type { Api, ServerEnvironment, ServerParts } from '../environment.ts';
import { nothingRuns } from '../guards/headers.ts';
import { createThumbnails } from '../pictures/thumbnail.ts';
import {
  browseAnswer,
  browseParameters,
  keywordParameters,
  keywordsAnswer,
  picture,
  pictureParameters,
  searchAnswer,
  similarParameters,
  thumbnailParameters,
} from '../schemas.ts';
import { json, problems } from './answers.ts';
import { filtersOf, requireIndex } from './index-questions.ts';

const tags = ['Pictures'];
const params = pictureParameters;
const binary = z.string().meta({ format: 'binary' });

const browseRoute = createRoute({
  method: 'get',
  path: '/v1/pictures',
  tags,
  summary: 'All pictures, newest first',
  request: { query: browseParameters },
  responses: { 200: json(browseAnswer, 'A page of them.'), ...problems(400, 404, 504) },
});

const pictureRoute = createRoute({
  method: 'get',
  path: '/v1/pictures/{id}',
  tags,
  summary: 'What is known of a picture',
  request: { params },
  responses: { 200: json(picture, 'Its path, size and date.'), ...problems(400, 404, 504) },
});

const thumbnailRoute = createRoute({
  method: 'get',
  path: '/v1/pictures/{id}/thumbnail',
  tags,
  summary: 'The picture, small',
  request: { params, query: thumbnailParameters },
  responses: {
    200: { description: 'WebP.', content: { 'image/webp': { schema: binary } } },
    304: { description: 'The one that the client has is still right.' },
    ...problems(400, 404, 413, 422, 504),
  },
});

const fileRoute = createRoute({
  method: 'get',
  path: '/v1/pictures/{id}/file',
  tags,
  summary: 'The file of the picture as it is',
  request: { params },
  responses: {
    200: { description: 'Its bytes.', content: { 'image/*': { schema: binary } } },
    304: { description: 'The one that the client has is still right.' },
    ...problems(400, 404, 422, 504),
  },
});

const similarRoute = createRoute({
  method: 'get',
  path: '/v1/pictures/{id}/similar',
  tags,
  summary: 'Pictures that look like it',
  request: { params, query: similarParameters },
  responses: { 200: json(searchAnswer, 'Most alike first; itself left out.'), ...problems(400, 404, 504) },
});

const keywordsRoute = createRoute({
  method: 'get',
  path: '/v1/pictures/{id}/keywords',
  tags,
  summary: 'Words that fit the picture',
  request: { params, query: keywordParameters },
  responses: { 200: json(keywordsAnswer, 'Best first.'), ...problems(400, 404, 409, 504) },
});

/** What the content is, whatever the file is called. */
const typeOf: Readonly<Record<PictureFormat, string>> = {
  jpeg: 'image/jpeg',
  png: 'image/png',
  webp: 'image/webp',
  gif: 'image/gif',
  avif: 'image/avif',
  tiff: 'image/tiff',
};

/** Browsers keep pictures for themselves, and ask after an hour whether they are still the same. */
const keepPrivately = 'private, max-age=3600';

const defaultSimilar = 24;

export function addPictures(api: Api, { index, limits }: ServerParts): void {
  const thumbnails = createThumbnails(limits);

  api.openapi(browseRoute, async (c) => {
    const { topK = 100, offset = 0, ...filters } = c.req.valid('query');
    const page = { limit: topK, offset, filters: filtersOf(filters) };
    return c.json(await requireIndex(index).pictures(page), 200);
  });

  api.openapi(pictureRoute, async (c) =>
    c.json(await requirePicture(requireIndex(index), c.req.valid('param').id), 200),
  );

  api.openapi(thumbnailRoute, async (c) => {
    const open = requireIndex(index);
    const { id } = c.req.valid('param');
    const { size } = c.req.valid('query');
    const tag = tagOf(await requirePicture(open, id), size);
    if (isKnown(c, tag)) return c.body(null, 304);
    const read = () => open.readPicture(id);
    const bytes = await thumbnails.make(tag, Number(size), read, c.get('signal'));
    return c.body(bytes, 200, { 'content-type': 'image/webp' });
  });

  api.openapi(fileRoute, async (c) => {
    const open = requireIndex(index);
    const { id } = c.req.valid('param');
    const known = await requirePicture(open, id);
    if (isKnown(c, tagOf(known, 'file'))) return c.body(null, 304);
    const bytes = await open.readPicture(id);
    // A file that has become something else than a picture since it was indexed is not handed out.
    const { format } = readHeader(bytes, 'The file');
    return c.body(bytes as Uint8Array<ArrayBuffer>, 200, {
      'content-type': typeOf[format],
      'content-disposition': dispositionOf(known.image, format),
      'content-security-policy': nothingRuns,
    });
  });

  api.openapi(similarRoute, async (c) => {
    const open = requireIndex(index);
    const { id } = c.req.valid('param');
    const { topK = defaultSimilar, offset, cutOff = false, collapse, ...filters } = c.req.valid('query');
    await requirePicture(open, id);
    const options = {
      ...{ topK, offset, cutOff, collapse },
      ...{ filters: filtersOf(filters), signal: c.get('signal') },
    };
    return c.json(await open.similar(id, options), 200);
  });

  api.openapi(keywordsRoute, async (c) => {
    const open = requireIndex(index);
    const { id } = c.req.valid('param');
    await requirePicture(open, id);
    return c.json({ keywords: await open.keywords({ id }, c.req.valid('query')) }, 200);
  });
}

async function requirePicture(index: SearchIndex, id: string): Promise<IndexedPicture> {
  const known = await index.picture(id);
  if (known !== undefined) return known;
  throw new EidosError('not_found', `The index has no picture ${id}; it may have been removed.`);
}

/** Changes whenever the file does. */
function tagOf({ id, bytes, modifiedAt }: IndexedPicture, kind: string): string {
  return createHash('sha256')
    .update(JSON.stringify([id, bytes, modifiedAt, kind]))
    .digest('base64url')
    .slice(0, 24);
}

/** Says what the answer is called, and whether the client has it already. */
function isKnown(c: Context<ServerEnvironment>, tag: string): boolean {
  c.header('etag', `"${tag}"`);
  c.header('cache-control', keepPrivately);
  return (c.req.header('if-none-match') ?? '').split(/\s*,\s*/).includes(`"${tag}"`);
}

/** Shown where browsers can, saved under its own name otherwise (RFC 6266, RFC 8187). */
function dispositionOf(path: string, format: PictureFormat): string {
  const name = basename(path.replaceAll('\\', '/'));
  const plain = `picture${extname(name).replace(/[^\w.]/g, '')}`;
  const encoded = encodeURIComponent(name).replace(
    /['()*]/g,
    (sign) => `%${sign.charCodeAt(0).toString(16)}`,
  );
  return `${format === 'tiff' ? 'attachment' : 'inline'}; filename="${plain}"; filename*=UTF-8''${encoded}`;
}
