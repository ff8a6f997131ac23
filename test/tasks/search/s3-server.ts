/** A bucket on the loopback: as much of Amazon's S3 as LanceDB asks for, in memory. Signatures are not looked at. */
import { createHash, randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface BucketServer {
  /** `http://127.0.0.1:…` */
  endpoint: string;
  /** What lies in it, by bucket and key. */
  objects: Map<string, Buffer>;
  close(): Promise<void>;
}

export async function startBucketServer(): Promise<BucketServer> {
  const objects = new Map<string, Buffer>();
  const uploads = new Map<string, Map<number, Buffer>>();
  const server = createServer((request, response) => {
    void answer(request, response).catch((error: unknown) => {
      response.writeHead(500).end(String(error));
    });
  });

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', 'http://localhost');
    const key = decodeURIComponent(url.pathname.slice(1));
    const query = url.searchParams;
    const body = await bodyOf(request);
    switch (request.method) {
      case 'PUT':
        if (query.has('uploadId')) {
          uploads.get(query.get('uploadId')!)!.set(Number(query.get('partNumber')), body);
          return void response.writeHead(200, { etag: tagOf(body) }).end();
        }
        if (request.headers['if-none-match'] === '*' && objects.has(key)) {
          return sendError(response, 412, 'PreconditionFailed');
        }
        if (request.headers['x-amz-copy-source'] !== undefined) {
          const from = objects.get(
            decodeURIComponent(String(request.headers['x-amz-copy-source'])).replace(/^\//, ''),
          );
          if (from === undefined) return sendError(response, 404, 'NoSuchKey');
          objects.set(key, from);
          return sendXml(response, `<CopyObjectResult><ETag>${tagOf(from)}</ETag></CopyObjectResult>`);
        }
        objects.set(key, body);
        return void response.writeHead(200, { etag: tagOf(body) }).end();
      case 'POST':
        if (query.has('uploads')) {
          const id = randomBytes(8).toString('hex');
          uploads.set(id, new Map());
          return sendXml(
            response,
            `<InitiateMultipartUploadResult><UploadId>${id}</UploadId></InitiateMultipartUploadResult>`,
          );
        }
        if (query.has('uploadId')) {
          const parts = [...uploads.get(query.get('uploadId')!)!].sort(([a], [b]) => a - b);
          const whole = Buffer.concat(parts.map(([, part]) => part));
          objects.set(key, whole);
          return sendXml(
            response,
            `<CompleteMultipartUploadResult><ETag>${tagOf(whole)}</ETag></CompleteMultipartUploadResult>`,
          );
        }
        for (const [, name] of body.toString().matchAll(/<Key>(.*?)<\/Key>/g)) {
          objects.delete(`${key.replace(/\/$/, '')}/${name}`);
        }
        return sendXml(response, '<DeleteResult></DeleteResult>');
      case 'DELETE':
        objects.delete(key);
        return void response.writeHead(204).end();
      default:
        if (query.has('list-type')) return list(key.replace(/\/$/, ''), query, response);
        return send(request, response, objects.get(key));
    }
  }

  function list(bucket: string, query: URLSearchParams, response: ServerResponse): void {
    const prefix = query.get('prefix') ?? '';
    const delimiter = query.get('delimiter');
    const after = query.get('start-after') ?? '';
    const contents: string[] = [];
    const folders = new Set<string>();
    for (const [path, bytes] of [...objects].sort(([a], [b]) => (a < b ? -1 : 1))) {
      if (!path.startsWith(`${bucket}/`)) continue;
      const name = path.slice(bucket.length + 1);
      if (!name.startsWith(prefix) || name <= after) continue;
      const end = delimiter ? name.indexOf(delimiter, prefix.length) : -1;
      if (end >= 0) folders.add(name.slice(0, end + 1));
      else
        contents.push(
          `<Contents><Key>${escaped(name)}</Key><Size>${bytes.length}</Size><ETag>${escaped(tagOf(bytes))}</ETag><LastModified>2024-01-01T00:00:00.000Z</LastModified></Contents>`,
        );
    }
    const common = [...folders].map(
      (folder) => `<CommonPrefixes><Prefix>${escaped(folder)}</Prefix></CommonPrefixes>`,
    );
    sendXml(
      response,
      `<ListBucketResult><Name>${bucket}</Name><IsTruncated>false</IsTruncated>${contents.join('')}${common.join('')}</ListBucketResult>`,
    );
  }

  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    objects,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function send(request: IncomingMessage, response: ServerResponse, bytes: Buffer | undefined): void {
  if (bytes === undefined) {
    sendError(response, 404, 'NoSuchKey');
    return;
  }
  const common = {
    etag: tagOf(bytes),
    'last-modified': 'Mon, 01 Jan 2024 00:00:00 GMT',
    'accept-ranges': 'bytes',
  };
  const [, first, last] = /bytes=(\d*)-(\d*)/.exec(request.headers.range ?? '') ?? [];
  if (first === undefined) {
    response.writeHead(200, { ...common, 'content-length': bytes.length });
    response.end(request.method === 'HEAD' ? undefined : bytes);
    return;
  }
  const start = first === '' ? Math.max(0, bytes.length - Number(last)) : Number(first);
  const end = first === '' || last === '' ? bytes.length - 1 : Math.min(Number(last), bytes.length - 1);
  const part = bytes.subarray(start, end + 1);
  response.writeHead(206, {
    ...common,
    'content-length': part.length,
    'content-range': `bytes ${start}-${end}/${bytes.length}`,
  });
  response.end(part);
}

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

function sendXml(response: ServerResponse, xml: string): void {
  response
    .writeHead(200, { 'content-type': 'application/xml' })
    .end(`<?xml version="1.0" encoding="UTF-8"?>${xml}`);
}

function sendError(response: ServerResponse, status: number, code: string): void {
  response
    .writeHead(status, { 'content-type': 'application/xml' })
    .end(`<Error><Code>${code}</Code></Error>`);
}

function tagOf(bytes: Buffer): string {
  return `"${createHash('md5').update(bytes).digest('hex')}"`;
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;');
}
