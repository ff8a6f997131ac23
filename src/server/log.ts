/** Lines of JSON about what the server does: never the contents of pictures, and words of queries only where asked for. */
import { type Logger, pino } from 'pino';
import type { ServerOptions } from './options.ts';

export type Log = Pick<Logger, 'debug' | 'info' | 'warn' | 'error'>;

/** One answered request. */
export interface RequestLine {
  request: string;
  method: string;
  /** The pattern of the path; ids and words do not show. */
  route: string;
  status: number;
  milliseconds: number;
  address: string;
  query?: string;
}

export function createLog({ log, logLevel = 'info' }: Pick<ServerOptions, 'log' | 'logLevel'>): Log {
  const nobody = { write() {} };
  return pino(
    { level: log === undefined ? 'silent' : logLevel, base: null, timestamp: pino.stdTimeFunctions.isoTime },
    log ?? nobody,
  );
}
