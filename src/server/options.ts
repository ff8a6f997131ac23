/** What a server can be told, and every default of it. */
import type { Clip } from '../clip/clip.ts';
import { EidosError } from '../errors.ts';
import type { SearchIndex, SyncProgress, SyncReport } from '../tasks/search/types.ts';

export interface ServerOptions {
  /** Answers everything. The server leaves it open when it closes. */
  clip: Clip;
  /**
   * Opens the index with a clip whose queries share runs with those of other requests; the server closes it. Without
   * it, searching is answered with `not_found`.
   */
  openIndex?: ((clip: Clip) => Promise<SearchIndex>) | undefined;
  /** Folders that the index takes in as soon as the server begins, while it answers with what is done. @default none */
  takeIn?: FoldersToTakeIn | undefined;
  /** Keys of which every request to the API needs one. Demanded where the server listens beyond this machine. */
  apiKeys?: readonly string[] | undefined;
  /**
   * Names under which the server may be addressed, besides `localhost` and addresses as numbers: a page on another
   * name that is led here by DNS reaches nothing.
   */
  allowedHosts?: readonly string[] | undefined;
  /** Origins of other pages that may use the server from a browser: `https://photos.example`. @default none */
  allowedOrigins?: readonly string[] | undefined;
  /** Lets pictures be named by http(s) URLs, which the server fetches from public addresses. @default false */
  allowUrls?: boolean | undefined;
  limits?: Partial<Limits> | undefined;
  /** The folder of the built page. @default the one that comes with eidos */
  pageFolder?: string | undefined;
  /** Takes lines of JSON. @default nobody */
  log?: { write(line: string): void } | undefined;
  /** The least that is logged. @default 'info' */
  logLevel?: LogLevel | undefined;
  /** Whether the log has the words that people search for. Pictures it never has. @default false */
  logQueries?: boolean | undefined;
}

export interface FoldersToTakeIn {
  folders: readonly string[];
  onProgress?: ((progress: SyncProgress) => void) | undefined;
  /** Told what was done. */
  onDone?: ((report: SyncReport) => void) | undefined;
  /** Told what ended it before that. */
  onError?: ((error: unknown) => void) | undefined;
}

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

export interface Limits {
  /** Bytes of a request. @default 64 MiB */
  requestBytes: number;
  /** Bytes of all requests that are being answered. @default 512 MiB */
  openBytes: number;
  /** Requests that are being answered. @default 512 */
  openRequests: number;
  /** Bytes of one picture. @default 32 MiB */
  imageBytes: number;
  /** Pixels of one picture, which make three bytes each once decoded. @default 50,000,000 */
  imagePixels: number;
  /** Texts and pictures that are being embedded or wait for it. @default 4096 */
  waitingInputs: number;
  /** Texts or pictures of one run of the network. @default 32 */
  batchSize: number;
  /** Milliseconds that an idle network waits for company of a first input. @default 2 */
  gatherTime: number;
  /** Milliseconds until a request is given up. @default 30,000 */
  requestTime: number;
  /** Milliseconds that requests have to end when the server closes. @default 10,000 */
  closingTime: number;
  /**
   * Requests a minute of one address, in bursts of as many; pictures of the index count a tenth. 0 is no limit.
   * @default 0 on this machine alone, 1200 beyond
   */
  requestsPerMinute: number;
}

/** For a server that only this machine reaches; beyond it `requestsPerMinute` is `publicRequestsPerMinute`. */
export const defaultLimits: Limits = {
  requestBytes: 64 * 1024 * 1024,
  openBytes: 512 * 1024 * 1024,
  openRequests: 512,
  imageBytes: 32 * 1024 * 1024,
  imagePixels: 50_000_000,
  waitingInputs: 4096,
  batchSize: 32,
  gatherTime: 2,
  requestTime: 30_000,
  closingTime: 10_000,
  requestsPerMinute: 0,
};

export const publicRequestsPerMinute = 1200;

/** Defaults where nothing is said. Throws `invalid_option` for what is no limit. */
export function resolveLimits(given: Partial<Limits> = {}): Limits {
  const limits = { ...defaultLimits };
  for (const [name, value] of Object.entries(given) as [keyof Limits, number | undefined][]) {
    if (value === undefined) continue;
    if (!Object.hasOwn(defaultLimits, name)) {
      const names = Object.keys(defaultLimits).join(', ');
      throw new EidosError('invalid_option', `limits.${name} is no limit; there are ${names}.`);
    }
    const least = name === 'requestsPerMinute' || name === 'gatherTime' ? 0 : 1;
    if (!Number.isFinite(value) || value < least) {
      throw new EidosError('invalid_option', `limits.${name} is ${value}: a number from ${least}.`);
    }
    limits[name] = value;
  }
  return limits;
}
