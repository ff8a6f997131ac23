/** Where models come from and are kept: the settings that Hugging Face's own tools share, read when they are needed. */
import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { EidosError } from '../../errors.ts';

export interface HubOptions {
  /**
   * Never use the network; what is not in the cache is an error.
   * @default whether HF_HUB_OFFLINE is 1, true, yes or on
   */
  offline?: boolean;
  /**
   * For private and gated models.
   * @default HF_TOKEN, or the token that `hf auth login` stored
   */
  token?: string;
  /**
   * @default HF_ENDPOINT, or https://huggingface.co
   */
  endpoint?: string;
  /**
   * A branch, tag or commit, over the one in the source.
   * @default 'main'
   */
  revision?: string;
  /**
   * @default HF_HUB_CACHE, or `hub` in HF_HOME, or ~/.cache/huggingface/hub
   */
  hubCache?: string;
  /**
   * Ask the hub whether the revision has moved on, though all of it is in the cache.
   * @default false
   */
  refresh?: boolean;
  /** Called as bytes arrive. */
  onProgress?: (progress: DownloadProgress) => void;
  /** Ends the download with the error `aborted`; what has arrived is kept and continued next time. */
  signal?: AbortSignal;
}

/** Their names, for whoever refuses others. */
export const hubOptions = {
  offline: true,
  token: true,
  endpoint: true,
  revision: true,
  hubCache: true,
  refresh: true,
  onProgress: true,
  signal: true,
} as const satisfies Readonly<Record<keyof HubOptions, true>>;

/** How far the download of a model is. Bytes that an earlier attempt brought count as loaded. */
export interface DownloadProgress {
  /** The file that is being fetched. */
  file: string;
  /** Of this file. */
  loadedBytes: number;
  totalBytes: number;
  /** Of all files that had to be fetched so far and now; the total grows once, when an index has named its shards. */
  overallLoadedBytes: number;
  overallTotalBytes: number;
}

export interface HubSettings {
  offline: boolean;
  token: string | undefined;
  endpoint: string;
  hubCache: string;
}

/** @throws EidosError `invalid_option` where the endpoint is no address. */
export function hubSettings(options: HubOptions): HubSettings {
  const environment = process.env;
  const endpoint = (
    options.endpoint ??
    nonEmpty(environment.HF_ENDPOINT) ??
    'https://huggingface.co'
  ).replace(/\/+$/, '');
  if (!/^https?:$/.test(URL.canParse(endpoint) ? new URL(endpoint).protocol : '')) {
    throw new EidosError(
      'invalid_option',
      `The hub's endpoint '${endpoint}' (HF_ENDPOINT) is no http address.`,
    );
  }
  const token = nonEmpty(environment.HF_TOKEN) ?? nonEmpty(environment.HUGGING_FACE_HUB_TOKEN);
  return {
    offline: options.offline ?? /^(1|on|yes|true)$/i.test(environment.HF_HUB_OFFLINE ?? ''),
    token: options.token ?? token ?? storedToken(),
    endpoint,
    hubCache: options.hubCache ?? sharedCache(),
  };
}

function nonEmpty(text: string | undefined): string | undefined {
  return text === undefined || text.trim() === '' ? undefined : text.trim();
}

function sharedCache(): string {
  const { HF_HUB_CACHE, HUGGINGFACE_HUB_CACHE } = process.env;
  return nonEmpty(HF_HUB_CACHE) ?? nonEmpty(HUGGINGFACE_HUB_CACHE) ?? join(home(), 'hub');
}

function storedToken(): string | undefined {
  try {
    return nonEmpty(readFileSync(nonEmpty(process.env.HF_TOKEN_PATH) ?? join(home(), 'token'), 'utf8'));
  } catch {
    return undefined; // Nobody logged in, which is the usual case.
  }
}

/** Where Hugging Face's tools keep what they share. */
function home(): string {
  const cache = nonEmpty(process.env.XDG_CACHE_HOME) ?? join(homedir(), '.cache');
  return nonEmpty(process.env.HF_HOME) ?? join(cache, 'huggingface');
}
