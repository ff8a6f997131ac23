/** The server on a socket: where it listens, what it demands there, and how it ends without dropping anybody. */

import { randomUUID } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import { type AddressInfo, isIP } from 'node:net';
import { getRequestListener } from '@hono/node-server';
import { EidosError } from '../errors.ts';
import { createApp } from './app.ts';
import { publicRequestsPerMinute, resolveLimits, type ServerOptions } from './options.ts';
import { problemOf } from './problems.ts';

export interface ListenOptions extends ServerOptions {
  /** The address to listen on. Beyond this machine, `apiKeys` are demanded. @default '127.0.0.1' */
  host?: string | undefined;
  /** 0 takes one that is free. @default 3456 */
  port?: number | undefined;
}

export interface RunningServer {
  /** `http://127.0.0.1:3456` */
  readonly url: string;
  /**
   * Takes no new connections, lets requests end within `limits.closingTime`, gives the others up, and closes the
   * index. The clip stays open.
   */
  close(): Promise<void>;
  /** The same, for `await using`. */
  [Symbol.asyncDispose](): Promise<void>;
}

export const defaultPort = 3456;

/**
 * Starts a server.
 * @throws EidosError `invalid_option` for an address beyond this machine without API keys, and for one that is not
 * free; what opening the index throws
 */
export async function startServer(options: ListenOptions): Promise<RunningServer> {
  const { host = '127.0.0.1', port = defaultPort, apiKeys = [], allowedHosts = [] } = options;
  const isLocal = isLoopback(host);
  if (!isLocal && apiKeys.length === 0) {
    throw new EidosError(
      'invalid_option',
      `On ${host} everybody in the network could use the server: give it API keys, or let it listen on 127.0.0.1.`,
    );
  }
  const limits = resolveLimits({
    ...(isLocal ? {} : { requestsPerMinute: publicRequestsPerMinute }),
    ...options.limits,
  });
  const app = await createApp({
    ...options,
    limits,
    // Whoever names a host to listen on may address the server by it.
    allowedHosts: isIP(host) === 0 ? [...allowedHosts, host] : allowedHosts,
  });
  const listener = getRequestListener((request, bindings) => app.fetch(request, bindings), {
    overrideGlobalObjects: false,
    errorHandler: refuseUnreadable,
  });
  const server = createServer(
    {
      // Whoever sends slowly, or headers without end, holds a connection no longer than this.
      headersTimeout: 10_000,
      requestTimeout: Math.max(limits.requestTime, 60_000),
      keepAliveTimeout: 10_000,
      maxHeaderSize: 32 * 1024,
    },
    (incoming, outgoing) => void listener(incoming, outgoing),
  );
  try {
    await listen(server, host, port);
  } catch (error) {
    await app.close();
    throw error;
  }
  let closed: Promise<void> | undefined;
  return {
    url: urlOf(server.address() as AddressInfo),
    close() {
      closed ??= end(server, app, limits.closingTime);
      return closed;
    },
    [Symbol.asyncDispose](this: RunningServer) {
      return this.close();
    },
  };
}

/** Of requests that cannot be made sense of before any route sees them: an address or host name that is none. */
function refuseUnreadable(cause: unknown): Response {
  const reason = cause instanceof Error ? cause.message : String(cause);
  const error = new EidosError('invalid_option', `The request cannot be read: ${reason}.`, { cause });
  const { problem, status, headers } = problemOf(error, randomUUID());
  return new Response(JSON.stringify(problem), {
    status,
    headers: { ...headers, 'x-content-type-options': 'nosniff' },
  });
}

/** Whether only this machine can reach an address. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'));
}

function listen(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) => {
      const reason = cause.code === 'EADDRINUSE' ? 'something else listens there' : cause.message;
      reject(
        new EidosError('invalid_option', `The server cannot listen on ${host}, port ${port}: ${reason}.`, {
          cause,
        }),
      );
    });
    server.listen(port, host, resolve);
  });
}

async function end(
  server: Server,
  app: { drain(): void; close(): Promise<void> },
  closingTime: number,
): Promise<void> {
  app.drain();
  const isOver = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeIdleConnections();
  let timer: NodeJS.Timeout | undefined;
  const isLate = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, closingTime);
  });
  await Promise.race([isOver, isLate]);
  clearTimeout(timer);
  await app.close();
  // What has been given up is answered in this turn; who does not read the answer is cut off.
  await new Promise((resolve) => setTimeout(resolve, 100));
  server.closeAllConnections();
  await isOver;
}

function urlOf({ address, port, family }: AddressInfo): string {
  return `http://${family === 'IPv6' ? `[${address}]` : address}:${port}`;
}
