/** `POST /v1/classify`: which of the given labels fit each picture. */
import { createRoute, type z } from '@hono/zod-openapi';
import { EidosError } from '../../errors.ts';
import type { ImageSource } from '../../image/source.ts';
import { createClassifiers, type Templates } from '../classifiers.ts';
import type { Api, ServerParts } from '../environment.ts';
import { classifyAnswer, classifyForm, classifyRequest } from '../schemas.ts';
import { json, problems } from './answers.ts';

const route = createRoute({
  method: 'post',
  path: '/v1/classify',
  tags: ['Classification'],
  summary: 'Which of the given labels fit each picture',
  description:
    'JSON with data URIs, or a form with files. A picture that cannot be read is an answer with an error; the others are answered.',
  request: {
    body: {
      content: {
        'application/json': { schema: classifyRequest },
        'multipart/form-data': { schema: classifyForm },
      },
    },
  },
  responses: {
    200: json(classifyAnswer, 'One answer a picture, in order.'),
    ...problems(400, 413, 415, 422, 502, 504),
  },
});

interface Question {
  images: readonly ImageSource[];
  labels: readonly string[];
  templates: Templates | undefined;
  topK: number | undefined;
}

export function addClassify(api: Api, { clip, readPicture }: ServerParts): void {
  const classifierOf = createClassifiers(clip);

  api.openapi(route, async (c) => {
    const signal = c.get('signal');
    const isForm = /^multipart\/form-data/i.test(c.req.header('content-type') ?? '');
    const { images, labels, templates, topK } = isForm
      ? // Hono's types give the form the JSON's fields as well.
        formQuestion(c.req.valid('form') as z.output<typeof classifyForm>)
      : await jsonQuestion(c.req.valid('json'), (text) => readPicture(text, signal));
    const classifier = await classifierOf(labels, templates, signal);
    const classifications = await classifier.classify(images, {
      signal,
      ...(topK === undefined ? {} : { topK }),
    });
    const answers = classifications.map((answer) =>
      'error' in answer
        ? { image: answer.image, error: { code: answer.error.code, message: answer.error.message } }
        : answer,
    );
    return c.json({ model: clip.config.model, answers }, 200);
  });
}

/** @param body empty where there was none: Hono does not validate bodies of several types that are missing */
async function jsonQuestion(
  { images, labels, templates, topK }: Partial<z.output<typeof classifyRequest>>,
  read: (text: string) => Promise<Uint8Array>,
): Promise<Question> {
  if (images === undefined || labels === undefined) {
    throw new EidosError('invalid_option', 'There is no body: send JSON or a form with pictures and labels.');
  }
  return { images: await Promise.all(images.map(read)), labels, templates, topK };
}

function formQuestion(form: z.output<typeof classifyForm>): Question {
  const { image, label, template, templates, topK } = form;
  if (template !== undefined && templates !== undefined) {
    throw new EidosError('invalid_option', 'template and templates exclude each other: send one of them.');
  }
  return {
    images: [image].flat(),
    labels: [label].flat(),
    templates: templates ?? (template === undefined ? undefined : [template].flat()),
    topK,
  };
}
