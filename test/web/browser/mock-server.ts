/**
 * A server with the answers of `eidos serve` and none of its machinery, for tests of the page: the same pictures and
 * numbers every time, and failures on demand. Its answers have the types of the client, so it cannot drift unseen.
 */
import { createReadStream, existsSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname, join, normalize } from 'node:path';
import type {
  BrowseAnswer,
  ClassifyAnswer,
  IndexAnswer,
  KeywordsAnswer,
  Picture,
  Problem,
  SearchAnswer,
  SearchRequest,
  SyncProgress,
  SyncReport,
} from '../../../src/client/index.ts';

export interface MockPicture extends Picture {
  /** A file to show. @default a drawing of two colours in the picture's proportions */
  file?: string;
}

/** What a test may change while the server runs. */
export interface Behaviour {
  pictures: MockPicture[];
  hasIndex: boolean;
  /** Requests without this key's cookie are refused. */
  apiKey: string | undefined;
  /** Answers search and browsing with this status. */
  failing: number | undefined;
  /** Awaited before an answer of search or browsing. */
  beforeAnswer: () => Promise<void>;
  /** Awaited after every step of a synchronisation: a test holds it where it wants to look. */
  beforeStep: (done: number) => Promise<void>;
  unreadable: IndexAnswer['unreadable'];
}

export interface MockServer {
  url: string;
  behaviour: Behaviour;
  /** Methods, paths and JSON bodies of the requests to the interface, oldest first. */
  requests: { method: string; path: string; body: unknown }[];
  close(): Promise<void>;
}

type Answer = { json: unknown } | { status: number } | { sent: true };

/**
 * @param page folder of the built page
 * @param behaviour where it differs from a healthy server with the pictures
 */
export async function startMockServer(
  page: string,
  pictures: MockPicture[],
  behaviour: Partial<Behaviour> = {},
): Promise<MockServer> {
  const state: Behaviour = {
    pictures,
    hasIndex: true,
    apiKey: undefined,
    failing: undefined,
    beforeAnswer: async () => {},
    beforeStep: async () => {},
    unreadable: [],
    ...behaviour,
  };
  const requests: MockServer['requests'] = [];
  const server = createServer(async (request, response) => {
    const url = new URL(request.url ?? '/', 'http://mock');
    if (!url.pathname.startsWith('/v1/')) return sendPage(page, url.pathname, response);
    const text = await bodyOf(request);
    const body: unknown = text === '' ? undefined : JSON.parse(text);
    requests.push({ method: request.method ?? '', path: request.url ?? '', body });
    try {
      const answer = await answerTo(state, request, url, body, response);
      if ('json' in answer) sendJson(response, 200, answer.json);
      else if ('status' in answer) sendProblem(response, answer.status);
    } catch {
      response.destroy();
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/`,
    behaviour: state,
    requests,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** Pictures with proportions and captions that repeat in a way of their own. */
export function drawnPictures(count: number): MockPicture[] {
  const sizes = [
    [1200, 800],
    [800, 1200],
    [1000, 1000],
    [1600, 900],
    [1200, 900],
    [2400, 700],
    [900, 1200],
  ] as const;
  const things = ['beach', 'dog', 'city', 'mountain', 'flower'];
  return Array.from({ length: count }, (_, i) => {
    const [width, height] = sizes[(i * 5 + (i >> 3)) % sizes.length]!;
    const thing = things[i % things.length]!;
    return {
      id: `p${i}`,
      image: `/photographs/${thing}s/${thing}-${i}.jpg`,
      bytes: 100_000 + i * 37,
      width,
      height,
      orientation: width > height ? 'landscape' : width < height ? 'portrait' : 'square',
      modifiedAt: '2024-05-31T10:00:00Z',
      takenAt: '2024-05-30T18:30:00',
      camera: 'Example X100',
      caption: `A ${thing}, number ${i}`,
    };
  });
}

async function answerTo(
  state: Behaviour,
  request: IncomingMessage,
  url: URL,
  body: unknown,
  response: ServerResponse,
): Promise<Answer> {
  const { pathname, searchParams } = url;
  if (pathname === '/v1/session') return signIn(state, body, response);
  if (state.apiKey !== undefined && !request.headers.cookie?.includes(`key=${state.apiKey}`))
    return { status: 401 };
  if (pathname === '/v1/classify') return { json: classify(body as { labels: string[]; images: string[] }) };
  if (!state.hasIndex) return { status: 404 };
  if (pathname === '/v1/index') return { json: describe(state) };
  if (pathname === '/v1/index/sync') return synchronise(state, response);
  if (pathname === '/v1/pictures' || pathname === '/v1/search') {
    await state.beforeAnswer();
    if (state.failing !== undefined) return { status: state.failing };
    return {
      json: pathname === '/v1/search' ? search(state, body as SearchRequest) : browse(state, searchParams),
    };
  }
  const [, id, part] = /^\/v1\/pictures\/([^/]+)(?:\/(\w+))?$/.exec(pathname) ?? [];
  const picture = state.pictures.find((candidate) => candidate.id === id);
  if (picture === undefined) return { status: 404 };
  switch (part) {
    case undefined:
      return { json: withoutFile(picture) };
    case 'thumbnail':
    case 'file':
      sendPicture(picture, response);
      return { sent: true };
    case 'similar':
      return { json: similar(state, picture) };
    case 'keywords':
      return { json: keywords(searchParams.get('language')) };
    default:
      return { status: 404 };
  }
}

function browse({ pictures }: Behaviour, parameters: URLSearchParams): BrowseAnswer {
  const offset = Number(parameters.get('offset') ?? 0);
  const end = offset + Number(parameters.get('topK') ?? 100);
  return { pictures: pictures.slice(offset, end).map(withoutFile), total: pictures.length };
}

/** Pictures whose caption has one of the words fit; with a picture, every fourth does. */
function search({ pictures }: Behaviour, request: SearchRequest): SearchAnswer {
  const words = request.q?.toLowerCase().split(/\W+/) ?? [];
  const fits = ({ caption = '' }: Picture) =>
    words.some((word) => word.length > 2 && caption.toLowerCase().includes(word));
  const matching = pictures.filter((picture, i) => (words.length > 0 ? fits(picture) : i % 4 === 0));
  const nothingFits = matching.length === 0;
  const found =
    request.cutOff === false ? [...matching, ...pictures.filter((one) => !matching.includes(one))] : matching;
  const { offset = 0, topK = 50 } = request;
  const hits = found.slice(offset, offset + topK).map((picture, i) => {
    const probability = nothingFits ? 0.04 : 0.97 / (1 + (offset + i) / 24);
    return { ...withoutFile(picture), similarity: 0.2 + probability / 10, probability };
  });
  return { hits, total: found.length, nothingFits, cutOff: request.cutOff === false ? 0 : 0.2 };
}

function similar({ pictures }: Behaviour, picture: MockPicture): SearchAnswer {
  const thing = picture.caption?.split(/[ ,]/)[1] ?? '';
  const others = pictures.filter((other) => other !== picture && other.caption?.includes(thing));
  const hits = others
    .slice(0, 12)
    .map((other) => ({ ...withoutFile(other), similarity: 0.8, probability: 0.7 }));
  return { hits, total: hits.length, nothingFits: false, cutOff: 0 };
}

function keywords(language: string | null): KeywordsAnswer {
  const words = language === 'de' ? ['Strand', 'Meer', 'Himmel'] : ['beach', 'sea', 'sky'];
  return {
    keywords: words.map((keyword, i) => ({ keyword, similarity: 0.25 - i / 50, probability: 0.5 - i / 6 })),
  };
}

/** Longer labels are likelier. */
function classify({ labels, images }: { labels: string[]; images: string[] }): ClassifyAnswer {
  const sum = labels.reduce((total, label) => total + label.length, 0);
  const results = labels
    .map((label) => ({ label, probability: label.length / sum, similarity: 0.2 }))
    .sort((a, b) => b.probability - a.probability);
  return { model: 'mock', answers: images.map((_, i) => ({ image: `picture ${i}`, results })) };
}

function describe({ pictures, unreadable }: Behaviour): IndexAnswer {
  return {
    path: '/photographs/.eidos',
    pictures: pictures.length,
    folders: ['/photographs'],
    unreadable,
    unreadableCount: unreadable.length,
    model: { name: 'eidos-small', fingerprint: 'f'.repeat(16), embeddingSize: 256 },
    version: 3,
    bytes: 14_200_000,
    changedAt: '2024-06-01T09:30:00Z',
    syncing: false,
  };
}

async function synchronise(state: Behaviour, response: ServerResponse): Promise<Answer> {
  response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
  const send = (event: string, data: SyncProgress | SyncReport) =>
    response.write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
  const total = 4;
  send('progress', { stage: 'scan', done: 12, total: 0 });
  for (let done = 1; done <= total && !response.destroyed; done++) {
    send('progress', { stage: 'embed', done, total });
    await state.beforeStep(done);
  }
  const pictures = state.pictures.length;
  send('done', {
    added: 4,
    changed: 1,
    moved: 0,
    removed: 2,
    unchanged: 5,
    unreadableCount: 0,
    notRead: {},
    pictures,
    seconds: 1,
  });
  response.end();
  return { sent: true };
}

function signIn({ apiKey }: Behaviour, body: unknown, response: ServerResponse): Answer {
  if ((body as { apiKey?: string }).apiKey !== apiKey) return { status: 401 };
  response.writeHead(204, { 'set-cookie': `key=${apiKey}; HttpOnly; SameSite=Strict; Path=/` }).end();
  return { sent: true };
}

function withoutFile({ file: _, ...picture }: MockPicture): Picture {
  return picture;
}

function sendPicture({ file, id, width, height }: MockPicture, response: ServerResponse): void {
  if (file !== undefined) {
    response.writeHead(200, { 'content-type': 'image/jpeg', 'cache-control': 'max-age=60' });
    createReadStream(file).pipe(response);
    return;
  }
  const hue = (Number(id.slice(1)) * 47) % 360;
  response.writeHead(200, { 'content-type': 'image/svg+xml', 'cache-control': 'max-age=60' });
  response.end(
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width / 4}" height="${height / 4}" viewBox="0 0 4 4" ` +
      `preserveAspectRatio="none"><rect width="4" height="4" fill="hsl(${hue} 45% 62%)"/>` +
      `<rect y="2.6" width="4" height="1.4" fill="hsl(${(hue + 40) % 360} 40% 38%)"/></svg>`,
  );
}

const types: Record<string, string> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.svg': 'image/svg+xml',
  '.woff2': 'font/woff2',
};

/** The policy of the real server, so that the page is never built on something it will not have there. */
const policy =
  "default-src 'self'; img-src 'self' data: blob:; style-src 'self' 'unsafe-inline'; object-src 'none'; base-uri 'none'";

function sendPage(folder: string, path: string, response: ServerResponse): void {
  const file = join(folder, normalize(path === '/' ? '/index.html' : path));
  if (!file.startsWith(folder) || !existsSync(file)) {
    response.writeHead(404).end();
    return;
  }
  const type = types[extname(file)] ?? 'application/octet-stream';
  response.writeHead(200, { 'content-type': type, 'content-security-policy': policy });
  createReadStream(file).pipe(response);
}

function sendJson(response: ServerResponse, status: number, value: unknown, type = 'application/json'): void {
  response
    .writeHead(status, { 'content-type': type, 'cache-control': 'no-store' })
    .end(JSON.stringify(value));
}

function sendProblem(response: ServerResponse, status: number): void {
  const details: Record<number, [string, string]> = {
    401: ['unauthorized', 'The API key is missing or wrong.'],
    404: ['not_found', 'There is nothing at this address.'],
    500: ['engine_failed', 'The network could not be run.'],
  };
  const [code, detail] = details[status] ?? ['server_failed', `Status ${status}.`];
  const problem: Problem = {
    type: 'about:blank',
    title: 'Problem',
    status,
    detail,
    instance: 'urn:mock:1',
    code,
  };
  sendJson(response, status, problem, 'application/problem+json');
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
}
