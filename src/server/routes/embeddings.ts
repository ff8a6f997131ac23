/** `POST /v1/embeddings`: in the shape of OpenAI's, so that their clients and all that speak like them work. */
import { createRoute } from '@hono/zod-openapi';
import type { Clip } from '../../clip/clip.ts';
import type { Embeddings } from '../../clip/embeddings.ts';
import { EidosError } from '../../errors.ts';
import type { Api, ServerParts } from '../environment.ts';
import { pictureMeant, remedies } from '../pictures/meant.ts';
import { embeddingsAnswer, embeddingsRequest, longestText } from '../schemas.ts';
import { json, jsonBody, problems } from './answers.ts';

const route = createRoute({
  method: 'post',
  path: '/v1/embeddings',
  tags: ['Embeddings'],
  summary: 'Texts and pictures → unit vectors of one space',
  description:
    'OpenAI’s request and answer. A picture is a data URI where a text would stand. Texts longer than the model’s context are cut.',
  request: { body: jsonBody(embeddingsRequest) },
  responses: {
    200: json(embeddingsAnswer, 'One embedding an input, in order.'),
    ...problems(400, 404, 413, 415, 422, 504),
  },
});

export function addEmbeddings(api: Api, { clip, readPicture, allowsUrls }: ServerParts): void {
  api.openapi(route, async (c) => {
    const { input, model, dimensions, encoding_format } = c.req.valid('json');
    checkModel(clip, model, dimensions);
    const signal = c.get('signal');
    const inputs = typeof input === 'string' ? [input] : input;
    const isPicture = inputs.map((text, at) => standsForPicture(text, at, allowsUrls));
    const texts = inputs.filter((_, i) => !isPicture[i]);
    const pictures = inputs.filter((_, i) => isPicture[i]);
    checkLengths(inputs, isPicture);

    const own = clip.for(signal);
    const [ofTexts, ofPictures, tokens] = await Promise.all([
      texts.length === 0 ? undefined : own.embedTexts(texts),
      pictures.length === 0
        ? undefined
        : embedPictures(own, await Promise.all(pictures.map((picture) => readPicture(picture, signal)))),
      texts.length === 0 ? 0 : countTokens(clip, texts),
    ]);
    let [text, picture] = [0, 0];
    const data = inputs.map((_, index) => {
      const row = isPicture[index] ? rowOf(ofPictures!, picture++) : rowOf(ofTexts!, text++);
      return {
        object: 'embedding' as const,
        index,
        embedding: encoding_format === 'base64' ? base64Of(row) : Array.from(row),
      };
    });
    return c.json(
      {
        object: 'list' as const,
        model: clip.config.model,
        data,
        usage: { prompt_tokens: tokens, total_tokens: tokens },
      },
      200,
    );
  });
}

/** @throws EidosError `invalid_option` for a picture in a form that nobody can tell from words by its beginning */
function standsForPicture(text: string, at: number, allowsUrls: boolean): boolean {
  const meant = pictureMeant(text);
  if (meant === undefined || meant === 'data' || (meant === 'url' && allowsUrls)) return meant !== undefined;
  const urls = meant === 'url' ? '; URLs are fetched where the server was started with --allow-urls' : '';
  throw new EidosError('invalid_option', `input ${at} ${remedies[meant]}${urls}.`);
}

/** A server has one model, and embeddings of one length; whoever means another shall not get this one's. */
function checkModel({ config, embeddingSize }: Clip, model?: string, dimensions?: number): void {
  if (model !== undefined && model !== config.model) {
    throw new EidosError('not_found', `This server has the model ${config.model}, not ${model}.`);
  }
  if (dimensions !== undefined && dimensions !== embeddingSize) {
    throw new EidosError(
      'invalid_option',
      `Embeddings of ${config.model} have ${embeddingSize} dimensions and cannot be cut to ${dimensions}.`,
    );
  }
}

function checkLengths(inputs: readonly string[], isPicture: readonly boolean[]): void {
  const at = inputs.findIndex((text, i) => !isPicture[i] && text.length > longestText);
  if (at < 0) return;
  throw new EidosError(
    'invalid_option',
    `input ${at} is a text of ${inputs[at]!.length} characters: up to ${longestText} are taken, and pictures begin with data:image/.`,
  );
}

/** Throws for the first picture that cannot be read: an embedding cannot be left out of a list. */
async function embedPictures(clip: Clip, pictures: readonly Uint8Array[]): Promise<Embeddings> {
  return clip.embedImages(pictures);
}

/** As the text encoder reads them: with start and end, cut at the context's length. */
async function countTokens(clip: Clip, texts: readonly string[]): Promise<number> {
  const { encode, startToken, contextLength } = await clip.tokenizer();
  const around = startToken === undefined ? 1 : 2;
  return texts.reduce((sum, text) => sum + Math.min(encode(text).length + around, contextLength), 0);
}

function rowOf({ data, shape }: Embeddings, row: number): Float32Array {
  const width = shape[1]!;
  return data.subarray(row * width, (row + 1) * width);
}

/** Of the numbers as they lie in memory, which is little end first on all processors that Node runs on. */
function base64Of({ buffer, byteOffset, byteLength }: Float32Array): string {
  return Buffer.from(buffer, byteOffset, byteLength).toString('base64');
}
