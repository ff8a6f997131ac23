/** A small hub on 127.0.0.1 that can misbehave in the ways in which networks do. */
import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface HubModel {
  commit: string;
  files: Record<string, Uint8Array>;
  /** Names whose content is listed with SHA-256, as large files are. */
  large: string[];
}

export interface Misbehaviour {
  /** File → after so many bytes of a transfer the connection is cut, the given number of times. */
  cut?: { file: string; after: number; times: number };
  /** File → other bytes than listed are sent. */
  corrupt?: string;
  /** Send files by a redirect to another origin. */
  redirect?: boolean;
  /** Ignore ranges, as simple servers do. */
  noRanges?: boolean;
  /** Answer everything with this status (and the hub's error code). */
  status?: { status: number; code?: string };
  /** Answer this many requests for files with 503 first. */
  busy?: number;
  /** The token without which all is refused. */
  token?: string;
}

export interface HubServer {
  endpoint: string;
  misbehave: Misbehaviour;
  /** `METHOD path range` of all requests since the last clear. */
  requests: { url: string; range: string | undefined; authorization: string | undefined; host: string }[];
  close(): Promise<void>;
}

export function checksum(bytes: Uint8Array, algorithm: 'sha256' | 'git'): string {
  if (algorithm === 'sha256') return createHash('sha256').update(bytes).digest('hex');
  return createHash('sha1').update(`blob ${bytes.length}\0`).update(bytes).digest('hex');
}

export async function startHub(models: Record<string, HubModel>): Promise<HubServer> {
  const server = createServer((request, response) => {
    handle(request, response).catch(() => response.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const hub: HubServer = {
    endpoint: `http://127.0.0.1:${port}`,
    misbehave: {},
    requests: [],
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname } = new URL(request.url ?? '/', hub.endpoint);
    const { host = '', authorization, range } = request.headers;
    hub.requests.push({ url: pathname, range, authorization, host });
    const { misbehave } = hub;
    const stored = pathname.startsWith('/storage/');
    if (misbehave.status !== undefined)
      return refuse(response, misbehave.status.status, misbehave.status.code);
    if (misbehave.token !== undefined && !stored && authorization !== `Bearer ${misbehave.token}`) {
      return refuse(response, 401, 'RepoNotFound');
    }
    const api = /^\/api\/models\/([^/]+\/[^/]+)\/(revision|tree)\/([^/]+)$/.exec(pathname);
    const file = /^\/(?:storage\/)?([^/]+\/[^/]+)\/resolve\/([^/]+)\/(.+)$/.exec(pathname);
    const model = models[api?.[1] ?? file?.[1] ?? ''];
    if (model === undefined) return refuse(response, 404, 'RepoNotFound');
    const revision = api?.[3] ?? file?.[2] ?? '';
    if (revision !== 'main' && revision !== model.commit) return refuse(response, 404, 'RevisionNotFound');
    if (api?.[2] === 'revision')
      return json(response, { _id: 'x', id: api[1], sha: model.commit, lastModified: 0 });
    if (api?.[2] === 'tree') return json(response, listing(model));
    const name = file?.[3] ?? '';
    const bytes = model.files[name];
    if (bytes === undefined) return refuse(response, 404, 'EntryNotFound');
    if ((misbehave.busy ?? 0) > 0) {
      misbehave.busy!--;
      return refuse(response, 503);
    }
    if (misbehave.redirect === true && !stored) {
      response.writeHead(302, { location: `http://localhost:${port}/storage${pathname}` }).end();
      return;
    }
    await send(response, name, misbehave.corrupt === name ? bytes.map((byte) => byte ^ 1) : bytes, range);
  }

  async function send(
    response: ServerResponse,
    name: string,
    bytes: Uint8Array,
    range: string | undefined,
  ): Promise<void> {
    const start = hub.misbehave.noRanges === true ? 0 : Number(/^bytes=(\d+)-$/.exec(range ?? '')?.[1] ?? 0);
    if (start > bytes.length) return refuse(response, 416);
    const body = bytes.subarray(start);
    const headers: Record<string, string | number> = { 'content-length': body.length };
    if (start > 0) headers['content-range'] = `bytes ${start}-${bytes.length - 1}/${bytes.length}`;
    response.writeHead(start > 0 ? 206 : 200, headers);
    const { cut } = hub.misbehave;
    if (cut?.file === name && cut.times > 0 && body.length > cut.after) {
      cut.times--;
      response.write(body.subarray(0, cut.after), () => setTimeout(() => response.destroy(), 20));
      return;
    }
    response.end(body);
  }

  return hub;
}

function listing(model: HubModel): unknown[] {
  return Object.entries(model.files).map(([path, bytes]) => {
    const pointer = { type: 'file', path, size: bytes.length, oid: checksum(bytes, 'git') };
    if (!model.large.includes(path)) return pointer;
    return { ...pointer, lfs: { oid: checksum(bytes, 'sha256'), size: bytes.length, pointerSize: 134 } };
  });
}

function json(response: ServerResponse, value: unknown): void {
  response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(value));
}

function refuse(response: ServerResponse, status: number, code?: string): void {
  response.writeHead(status, code === undefined ? {} : { 'x-error-code': code }).end('{}');
}
