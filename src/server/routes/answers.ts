/** How routes describe their answers in the OpenAPI document. */
import type { z } from 'zod';
import { problem } from '../schemas.ts';

/** An answer as JSON. */
export function json<S extends z.ZodType>(schema: S, description: string) {
  return { description, content: { 'application/json': { schema } } };
}

/** A body as JSON; Hono validates it only where it is required. */
export function jsonBody<S extends z.ZodType>(schema: S) {
  return { required: true, content: { 'application/json': { schema } } };
}

const why = {
  400: 'The request does not fit its schema.',
  401: 'The server wants an API key, or another one.',
  403: 'The page, name or address is not allowed.',
  404: 'There is no such picture, model or index.',
  409: 'The index was made with another model.',
  413: 'The request or a picture is over the limits.',
  415: 'The content type is not taken here.',
  422: 'A picture cannot be read.',
  429: 'Too many requests; Retry-After says when to come again.',
  500: 'The server made a mistake, and its log says more.',
  502: 'A picture could not be fetched from its URL.',
  503: 'The server is busy; Retry-After says when to come again.',
  504: 'The answer was not ready in time.',
} as const;

type Status = keyof typeof why;
type ProblemAnswer = {
  description: string;
  content: { 'application/problem+json': { schema: typeof problem } };
};

/** Problems that every route of the API may answer with, and those named. */
export function problems<S extends Status = never>(
  ...own: readonly S[]
): Record<S | 401 | 403 | 429 | 500 | 503, ProblemAnswer> {
  const statuses: Status[] = [...own, 401, 403, 429, 500, 503];
  const answers = statuses.map((status) => [
    status,
    { description: why[status], content: { 'application/problem+json': { schema: problem } } },
  ]);
  return Object.fromEntries(answers) as Record<S | 401 | 403 | 429 | 500 | 503, ProblemAnswer>;
}
