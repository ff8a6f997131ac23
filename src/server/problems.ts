/** From errors to what a client is told: RFC 9457 problem details, with the library's code and a status for each. */
import { HTTPException } from 'hono/http-exception';
import type { ContentfulStatusCode } from 'hono/utils/http-status';
import { EidosError, type ErrorCode } from '../errors.ts';
import type { Problem } from './schemas.ts';

/** A code without a status does not compile. */
const statusOf: Readonly<Record<ErrorCode, ContentfulStatusCode>> = {
  invalid_option: 400,
  not_found: 404,
  invalid_image: 422,
  image_too_large: 413,
  invalid_checkpoint: 500,
  unsupported_checkpoint: 500,
  config_mismatch: 500,
  invalid_tokenizer: 500,
  text_too_long: 422,
  device_unavailable: 500,
  dtype_unavailable: 500,
  engine_failed: 500,
  invalid_graph: 500,
  offline: 403,
  download_failed: 502,
  checksum_mismatch: 500,
  write_failed: 507,
  model_mismatch: 409,
  invalid_index: 500,
  not_installed: 501,
  not_finite: 500,
  unauthorized: 401,
  forbidden: 403,
  too_many_requests: 429,
  request_too_large: 413,
  overloaded: 503,
  timed_out: 504,
  server_failed: 500,
  // The client has left: nobody reads this, but the log does, as nginx writes it.
  aborted: 499 as ContentfulStatusCode,
  closed: 503,
};

const titles: Readonly<Record<number, string>> = {
  400: 'Bad request',
  401: 'Not signed in',
  403: 'Refused',
  404: 'Not found',
  405: 'Method not allowed',
  409: 'Conflict',
  413: 'Too large',
  415: 'Unsupported media type',
  422: 'Unprocessable content',
  429: 'Too many requests',
  499: 'Given up by the client',
  500: 'Internal error',
  501: 'Not installed',
  502: 'Bad gateway',
  503: 'Busy',
  504: 'Timed out',
  507: 'Not stored',
};

export interface RequestErrorDetails {
  /** In place of the code's own. */
  status?: ContentfulStatusCode;
  headers?: Readonly<Record<string, string>>;
  issues?: NonNullable<Problem['issues']>;
}

/** An error that knows more about its answer than its code does. */
export class RequestError extends EidosError {
  readonly details: RequestErrorDetails;

  constructor(code: ErrorCode, message: string, details: RequestErrorDetails = {}) {
    super(code, message);
    this.details = details;
  }
}

/** Seconds after which a server that is busy, or closing, is worth another try. */
const retryAfter = '1';

export interface ProblemAnswer {
  problem: Problem;
  status: ContentfulStatusCode;
  headers: Record<string, string>;
}

/** @param requestId stands in the log, too */
export function problemOf(error: unknown, requestId: string): ProblemAnswer {
  const { code, detail, details } = described(error);
  const status = details.status ?? statusOf[code];
  return {
    status,
    headers: {
      'content-type': 'application/problem+json',
      'cache-control': 'no-store',
      ...(status === 503 ? { 'retry-after': retryAfter } : {}),
      ...details.headers,
    },
    problem: {
      type: `/docs#${code}`,
      title: titles[status] ?? 'Error',
      status,
      detail,
      instance: `urn:uuid:${requestId}`,
      code,
      ...(details.issues === undefined ? {} : { issues: details.issues }),
    },
  };
}

/**
 * The same error as OpenAI's clients look for it, a member beside those of the problem.
 * @see https://platform.openai.com/docs/guides/error-codes
 */
export function withOpenAiError(problem: Problem): Problem & { error: object } {
  const type = problem.status < 500 ? 'invalid_request_error' : 'server_error';
  return { ...problem, error: { message: problem.detail, type, code: problem.code, param: null } };
}

function described(error: unknown): { code: ErrorCode; detail: string; details: RequestErrorDetails } {
  if (error instanceof RequestError) {
    return { code: error.code, detail: error.message, details: error.details };
  }
  if (error instanceof EidosError) return { code: error.code, detail: error.message, details: {} };
  if (error instanceof HTTPException) {
    const code = error.status === 413 ? 'request_too_large' : 'invalid_option';
    const detail = messages[error.status] ?? error.message;
    return { code, detail, details: { status: error.status as ContentfulStatusCode } };
  }
  // What nobody foresaw may tell of the inside of this machine: the log has it, under the same name.
  return { code: 'server_failed', detail: 'The server made a mistake; its log says more.', details: {} };
}

/** In place of the words of Hono, which do not say what to do. */
const messages: Readonly<Record<number, string>> = {
  400: 'The body is broken: it is not the JSON or the form that its content type promises.',
  415: 'The content type is none that this request takes: see /docs.',
};
