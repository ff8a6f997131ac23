/** From errors to what a client is told: RFC 9457 problem details, with the library's code and a status for each. */
import { HTTPException } from 'hono/http-exception';
import type { ContentfulStatusCode } from 'hono/utils/http-status';
import { EidosError, type ErrorCode } from '../errors.ts';
import type { Problem } from './schemas.ts';

/** Of HTTP, and in words for /docs, where the type of a problem leads. */
interface Kind {
  status: ContentfulStatusCode;
  meaning: string;
}

const ofModel = 'The model of this server cannot be used; its log says more.';

/** A code without an entry does not compile. */
export const problemKinds: Readonly<Record<ErrorCode, Kind>> = {
  invalid_option: { status: 400, meaning: 'The request does not fit; `issues` names the fields.' },
  not_found: { status: 404, meaning: 'There is no such address, picture, model or index.' },
  invalid_image: { status: 422, meaning: 'The bytes are no picture of a known format, or a broken one.' },
  image_too_large: { status: 413, meaning: 'A picture has more bytes or pixels than this server takes.' },
  invalid_checkpoint: { status: 500, meaning: ofModel },
  unsupported_checkpoint: { status: 500, meaning: ofModel },
  config_mismatch: { status: 500, meaning: ofModel },
  invalid_tokenizer: {
    status: 500,
    meaning: 'The model of this server has no tokenizer: it takes pictures only.',
  },
  text_too_long: { status: 422, meaning: 'A text has more tokens than the model reads.' },
  device_unavailable: { status: 500, meaning: ofModel },
  dtype_unavailable: { status: 500, meaning: ofModel },
  engine_failed: { status: 500, meaning: 'The network could not be run; the log says why.' },
  invalid_graph: { status: 500, meaning: ofModel },
  offline: { status: 403, meaning: 'A picture is named by a URL, and this server fetches none.' },
  download_failed: { status: 502, meaning: 'A picture could not be fetched from its URL.' },
  checksum_mismatch: { status: 500, meaning: ofModel },
  write_failed: { status: 507, meaning: 'The index cannot be written: a full disk, or no permission.' },
  model_mismatch: { status: 409, meaning: 'The index was made with another model than this server has.' },
  invalid_index: { status: 500, meaning: 'The index is damaged or of another version.' },
  not_installed: { status: 501, meaning: 'This server lacks an optional package; the message names it.' },
  not_finite: {
    status: 500,
    meaning:
      'The model of this server gives numbers that are none (NaN or infinite); the message names the weight.',
  },
  unauthorized: { status: 401, meaning: 'The server wants an API key, or another one.' },
  forbidden: { status: 403, meaning: 'The page, the host name or the address of a picture is not allowed.' },
  too_many_requests: { status: 429, meaning: 'More requests than one address may send; see Retry-After.' },
  request_too_large: { status: 413, meaning: 'The request has more bytes than this server takes.' },
  overloaded: { status: 503, meaning: 'The server has as much work as it takes on; see Retry-After.' },
  timed_out: { status: 504, meaning: 'The answer was not ready in time: ask for less at once.' },
  server_failed: {
    status: 500,
    meaning: 'The server made a mistake; its log has it under the name in `instance`.',
  },
  // Nobody reads this status, but the log has it, as nginx writes it.
  aborted: { status: 499 as ContentfulStatusCode, meaning: 'The client has left.' },
  closed: { status: 503, meaning: 'The server is being shut down.' },
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
  const status = details.status ?? problemKinds[code].status;
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
