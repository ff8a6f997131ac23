/** The server as a function from requests to answers: guards first, then routes, and problems for what fails. */
import { randomUUID } from 'node:crypto';
import { setMaxListeners } from 'node:events';
import { OpenAPIHono } from '@hono/zod-openapi';
import type { Context } from 'hono';
import { methodNotAllowed } from 'hono/method-not-allowed';
import { routePath } from 'hono/route';
import { EidosError } from '../errors.ts';
import { createBatchingClip } from './batching/batching-clip.ts';
import type { Api, ServerEnvironment, ServerParts } from './environment.ts';
import { createAccess } from './guards/access.ts';
import { encodingGuard } from './guards/encoding.ts';
import { securityHeaders } from './guards/headers.ts';
import { hostGuard } from './guards/host.ts';
import { originGuard } from './guards/origin.ts';
import { rateLimitGuard } from './guards/rate-limit.ts';
import { roomGuard, sizeGuard, timeGuard } from './guards/room.ts';
import { createLog, type Log, type RequestLine } from './log.ts';
import { meantMembers } from './member-names.ts';
import { createMetrics, type Metrics } from './metrics.ts';
import { type FoldersToTakeIn, resolveLimits, type ServerOptions } from './options.ts';
import { createPage } from './page.ts';
import { createPictureReader } from './pictures/received.ts';
import { problemOf, RequestError, withOpenAiError } from './problems.ts';
import { addClassify } from './routes/classify.ts';
import { addDocuments } from './routes/documents.ts';
import { addEmbeddings } from './routes/embeddings.ts';
import { addHealth } from './routes/health.ts';
import { addModels } from './routes/models.ts';
import { addIndex } from './routes/picture-index.ts';
import { addPictures } from './routes/pictures.ts';
import { addSearch } from './routes/search.ts';
import { addSession } from './routes/session.ts';
import { createSynchronisation, type Synchronisation } from './synchronisation.ts';

/** A server without a socket. */
export interface ServerApp {
  /** Answers a request; problems are answers. */
  fetch(request: Request, bindings?: ServerEnvironment['Bindings']): Promise<Response>;
  /** From now on `/readyz` says that requests should go elsewhere. */
  drain(): void;
  /** Gives up what still runs: it is answered with `closed`. Then the index is closed. */
  close(): Promise<void>;
}

/**
 * @throws EidosError `invalid_option` for a limit that is none, and for `takeIn` without an index; what opening the index
 * throws
 */
export async function createApp(options: ServerOptions): Promise<ServerApp> {
  const limits = resolveLimits(options.limits);
  if (options.takeIn !== undefined && options.openIndex === undefined) {
    throw new EidosError(
      'invalid_option',
      'takeIn needs an index to take folders into: give openIndex, too.',
    );
  }
  const log = createLog(options);
  const metrics = createMetrics({ withProcess: true });
  const access = createAccess(options.apiKeys ?? []);
  const closing = new AbortController();
  // Every open request listens to it, which Node would take for a leak.
  setMaxListeners(0, closing.signal);
  let isShuttingDown = false;
  const clip = createBatchingClip(options.clip, { limits, onRun: metrics.countRun });
  const index = await options.openIndex?.(clip.forIndex);
  const synchronisation = index && createSynchronisation(index, closing.signal);
  const parts: ServerParts = {
    clip,
    index,
    synchronisation,
    limits,
    access,
    readPicture: createPictureReader(limits, { allowUrls: options.allowUrls ?? false }),
    allowsUrls: options.allowUrls ?? false,
    metrics,
    startedAt: Math.floor(Date.now() / 1000),
    closing: closing.signal,
    isShuttingDown: () => isShuttingDown,
  };
  metrics.watch(
    'eidos_waiting_inputs',
    'Texts and pictures that are being embedded or wait for it.',
    () => clip.inside,
  );

  const api: Api = new OpenAPIHono<ServerEnvironment>({ defaultHook: refuseInvalid });
  api.use(observe(log, metrics, options.logQueries ?? false));
  api.use(securityHeaders);
  api.use(hostGuard(options.allowedHosts ?? []));
  api.use(originGuard(options.allowedOrigins ?? []));
  api.use(rateLimitGuard(limits.requestsPerMinute, addressOf));
  api.use(methodNotAllowed({ app: api, onMethodNotAllowed: refuseMethod }));
  for (const path of ['/v1/*', '/metrics']) {
    api.use(path, async (c, next) => (c.req.path === '/v1/session' ? next() : access.guard(c, next)));
  }
  api.use('/v1/*', encodingGuard, roomGuard(limits), sizeGuard(limits), timeGuard(limits, closing.signal));

  addEmbeddings(api, parts);
  addClassify(api, parts);
  addSearch(api, parts);
  addPictures(api, parts);
  addIndex(api, parts);
  addModels(api, parts);
  addHealth(api, parts);
  addSession(api, parts);
  addDocuments(api, parts);

  if (synchronisation !== undefined && options.takeIn !== undefined) {
    void takeIn(synchronisation, options.takeIn, closing.signal);
  }

  const page = createPage(options.pageFolder);
  api.notFound(
    async (c) =>
      (await page.answer(c)) ??
      answerProblem(
        c,
        new EidosError('not_found', `There is nothing at ${c.req.path}: see /docs.`),
        log,
        metrics,
      ),
  );
  api.onError((error, c) => answerProblem(c, causeOf(error, c), log, metrics));

  return {
    fetch: async (request, bindings = {}) => api.fetch(request, bindings),
    drain() {
      isShuttingDown = true;
    },
    async close() {
      isShuttingDown = true;
      closing.abort(new EidosError('closed', 'The server is being shut down: try again at once.'));
      await index?.close();
    },
  };
}

/** Takes folders into the index while requests are answered; whoever asks for a synchronisation meanwhile joins it. */
async function takeIn(
  synchronisation: Synchronisation,
  { folders, onProgress = () => {}, onDone, onError }: FoldersToTakeIn,
  signal: AbortSignal,
): Promise<void> {
  try {
    onDone?.(await synchronisation.join({ folders, signal, onProgress }));
  } catch (error) {
    onError?.(error);
  }
}

/** Where a request comes from; requests from memory come from nowhere. */
function addressOf(c: Context): string {
  const { incoming } = c.env as ServerEnvironment['Bindings'];
  return incoming?.socket.remoteAddress ?? 'memory';
}

/** Gives each request a name, and notes how it was answered. */
function observe(log: Log, metrics: Metrics, logQueries: boolean) {
  return async function observeRequest(c: Context<ServerEnvironment>, next: () => Promise<void>) {
    const began = performance.now();
    c.set('requestId', randomUUID());
    await next();
    const milliseconds = performance.now() - began;
    const { method } = c.req;
    const { status } = c.res;
    const pattern = routePath(c, -1);
    const route = pattern.includes('*') ? 'other' : pattern;
    metrics.countRequest({ method, route, status, seconds: milliseconds / 1000 });
    const line: RequestLine = {
      request: c.get('requestId'),
      method,
      route,
      status,
      milliseconds: Math.round(milliseconds * 10) / 10,
      address: addressOf(c),
    };
    const query = logQueries ? c.req.query('q') : undefined;
    log.info(query === undefined ? line : { ...line, query }, 'answered');
  };
}

/** Who listened to the signal of a request says only that it came; the signal knows why. */
function causeOf(error: unknown, c: Context<ServerEnvironment>): unknown {
  const signal: AbortSignal | undefined = c.get('signal');
  const isEcho = error instanceof EidosError && error.code === 'aborted' && signal?.aborted === true;
  return isEcho ? signal.reason : error;
}

function answerProblem(c: Context<ServerEnvironment>, error: unknown, log: Log, metrics: Metrics): Response {
  const { problem, status, headers } = problemOf(error, c.get('requestId'));
  metrics.countProblem(problem.code);
  const line = { request: c.get('requestId'), code: problem.code, route: c.req.path };
  if (status === 500) log.error({ ...line, err: error }, 'failed');
  else log.debug(line, problem.detail);
  const isOpenAi =
    /^\/v1\/(embeddings$|models(\/|$))/.test(c.req.path) || (status === 404 && isOfApi(c.req.path));
  return c.body(JSON.stringify(isOpenAi ? withOpenAiError(problem) : problem), status, headers);
}

function isOfApi(path: string): boolean {
  return path === '/v1' || path.startsWith('/v1/');
}

/** What zod finds wrong, as a problem with the place of each fault. */
function refuseInvalid(result: { success: boolean; target?: string; error?: unknown }): void {
  if (result.success) return;
  const { issues } = result.error as {
    issues: readonly { path: readonly PropertyKey[]; message: string; keys?: readonly string[] }[];
  };
  const told = issues.slice(0, 20).map(({ path, message, keys }) => ({
    path: path.map(String).join('.'),
    message: `${message}${keys === undefined ? '' : meantMembers(keys)}`,
  }));
  const [first] = told;
  throw new RequestError(
    'invalid_option',
    first === undefined
      ? 'The request does not fit.'
      : `${first.path === '' ? 'The request' : first.path}: ${first.message}${first.message.endsWith('?') ? '' : '.'}`,
    { issues: told },
  );
}

function refuseMethod(c: Context, methods: string[]): never {
  throw new RequestError(
    'invalid_option',
    `${c.req.path} takes ${methods.join(', ')}, not ${c.req.method}.`,
    {
      status: 405,
      headers: { allow: methods.join(', ') },
    },
  );
}
