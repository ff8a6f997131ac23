/** What a request carries through the server, and what the routes stand on. */
import type { OpenAPIHono } from '@hono/zod-openapi';
import type { SearchIndex } from '../tasks/search/types.ts';
import type { BatchingClip } from './batching/batching-clip.ts';
import type { Access } from './guards/access.ts';
import type { Metrics } from './metrics.ts';
import type { Limits } from './options.ts';
import type { PictureReader } from './pictures/received.ts';
import type { Synchronisation } from './synchronisation.ts';

export interface ServerEnvironment {
  /** Missing where requests come from memory and not from a socket. */
  Bindings: { incoming?: { socket: { remoteAddress?: string | undefined } } };
  Variables: {
    /** Names the request in the log and in problems. */
    requestId: string;
    /** Comes when nobody waits for the answer any more. */
    signal: AbortSignal;
  };
}

export type Api = OpenAPIHono<ServerEnvironment>;

/** Made once a server. */
export interface ServerParts {
  clip: BatchingClip;
  index: SearchIndex | undefined;
  /** Of the index, where there is one. */
  synchronisation: Synchronisation | undefined;
  limits: Limits;
  access: Access;
  readPicture: PictureReader;
  /** Whether pictures are fetched from the addresses that requests name. */
  allowsUrls: boolean;
  metrics: Metrics;
  /** When the server was made, in seconds since 1970. */
  startedAt: number;
  /** Comes when what still runs is given up. */
  closing: AbortSignal;
  /** Whether new requests should go elsewhere. */
  isShuttingDown(): boolean;
}
