/**
 * Under which names the server may be addressed. A page from elsewhere can make a browser believe that its own name
 * leads to 127.0.0.1 (DNS rebinding); its requests then carry that name, and are refused by it.
 */
import { isIP } from 'node:net';
import type { MiddlewareHandler } from 'hono';
import { RequestError } from '../problems.ts';

/** Names as they stand in the header Host; addresses as numbers and localhost always pass: no DNS leads to them. */
export function hostGuard(allowedHosts: readonly string[]): MiddlewareHandler {
  const allowed = new Set(allowedHosts.map((host) => host.toLowerCase()));
  return async function checkHost(c, next) {
    const host = c.req.header('host') ?? new URL(c.req.url).host;
    if (isAllowedHost(host, allowed)) return next();
    throw new RequestError(
      'forbidden',
      `The server does not answer under the name "${host}": start it with --allow-host for names of its own.`,
    );
  };
}

/** @param allowed names, with a port or without */
export function isAllowedHost(host: string, allowed: ReadonlySet<string>): boolean {
  const whole = host.toLowerCase();
  const name = whole.replace(/:\d*$/, '');
  if (name === 'localhost' || name.endsWith('.localhost')) return true;
  if (isIP(name.replace(/^\[(.*)\]$/, '$1')) !== 0) return true;
  return allowed.has(name) || allowed.has(whole);
}
