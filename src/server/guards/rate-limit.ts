/** How often one address may ask: a bucket of tokens each, which fills up with time. */
import type { Context, MiddlewareHandler } from 'hono';
import { RequestError } from '../problems.ts';

/** Addresses that are remembered; the ones that were not seen for longest are forgotten. */
const mostAddresses = 10_000;

export interface RateLimiter {
  /** Seconds until there is room for a request of this weight, 0 where there was, and it has been counted. */
  take(address: string, weight: number): number;
}

/** @param now milliseconds of a clock */
export function createRateLimiter(perMinute: number, now: () => number = Date.now): RateLimiter {
  const buckets = new Map<string, { tokens: number; at: number }>();
  const perMillisecond = perMinute / 60_000;
  return {
    take(address, weight) {
      const time = now();
      const { tokens, at } = buckets.get(address) ?? { tokens: perMinute, at: time };
      const filled = Math.min(perMinute, tokens + (time - at) * perMillisecond);
      const isFree = filled >= weight;
      // Put in again, so that the map stays in the order of use.
      buckets.delete(address);
      buckets.set(address, { tokens: isFree ? filled - weight : filled, at: time });
      if (buckets.size > mostAddresses) buckets.delete(buckets.keys().next().value!);
      return isFree ? 0 : Math.max(1, Math.ceil((weight - filled) / perMillisecond / 1000));
    },
  };
}

/** A page shows many pictures of the index at once, and they cost little. */
const pictureWeight = 0.1;

export function rateLimitGuard(perMinute: number, addressOf: (c: Context) => string): MiddlewareHandler {
  const limiter = createRateLimiter(perMinute);
  return async function limitRate(c, next) {
    if (perMinute === 0) return next();
    const isPicture = /\/(thumbnail|file)$/.test(c.req.path);
    const seconds = limiter.take(addressOf(c), isPicture ? pictureWeight : 1);
    if (seconds === 0) return next();
    throw new RequestError(
      'too_many_requests',
      `More than ${perMinute} requests a minute: try again in ${seconds} s.`,
      { headers: { 'retry-after': String(seconds) } },
    );
  };
}
