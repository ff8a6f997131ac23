/** Requests to a server in memory, and pictures to send. */
import { deflateSync } from 'node:zlib';
import type { ServerApp } from '../../src/server/app.ts';

export interface PlainAnswer {
  status: number;
  type: string;
  headers: Headers;
  text: string;
  /** What the JSON of the answer says; undefined where it is none. */
  body: unknown;
}

interface Init {
  method?: string;
  headers?: Record<string, string>;
  body?: RequestInit['body'];
  /** POSTs this. */
  json?: unknown;
  form?: FormData;
  signal?: AbortSignal;
}

/** Asks and reads the whole answer. */
export async function request(app: ServerApp, path: string, init: Init = {}): Promise<PlainAnswer> {
  const { json, form, headers = {}, signal = null, body = null, ...rest } = init;
  const isPost = json !== undefined || form !== undefined;
  const response = await app.fetch(
    new Request(`http://localhost${path}`, {
      ...(isPost ? { method: 'POST', body: form ?? JSON.stringify(json) } : { body }),
      ...rest,
      signal,
      headers: { ...(json === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
    }),
  );
  const text = await response.text();
  const type = response.headers.get('content-type') ?? '';
  return {
    status: response.status,
    type,
    headers: response.headers,
    text,
    body: /json/.test(type) ? JSON.parse(text) : undefined,
  };
}

export function dataUri(bytes: Uint8Array, type = 'image/png'): string {
  return `data:${type};base64,${Buffer.from(bytes).toString('base64')}`;
}

/** A PNG of one colour. */
export function plainPicture(
  colour: readonly [number, number, number],
  width = 40,
  height = 40,
): Uint8Array<ArrayBuffer> {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, 2, 0, 0, 0], 8);
  const row = Buffer.from([0, ...Array.from({ length: width }, () => colour).flat()]);
  const rows = deflateSync(Buffer.concat(Array.from({ length: height }, () => row)));
  const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
  const chunks = [chunk('IHDR', header), chunk('IDAT', rows), chunk('IEND', Buffer.alloc(0))];
  return new Uint8Array(Buffer.concat([signature, ...chunks]));
}

function chunk(name: string, data: Buffer): Buffer {
  const content = Buffer.concat([Buffer.from(name, 'latin1'), data]);
  const frame = Buffer.alloc(8);
  frame.writeUInt32BE(data.length, 0);
  frame.writeUInt32BE(checksum(content), 4);
  return Buffer.concat([frame.subarray(0, 4), content, frame.subarray(4)]);
}

/** CRC-32 as PNG has it. */
function checksum(bytes: Buffer): number {
  let remainder = 0xffffffff;
  for (const byte of bytes) {
    remainder ^= byte;
    for (let bit = 0; bit < 8; bit++) remainder = (remainder >>> 1) ^ (remainder & 1 ? 0xedb88320 : 0);
  }
  return (remainder ^ 0xffffffff) >>> 0;
}
