/** Bodies are taken as they are: what is compressed is refused before somebody takes it for broken JSON. */
import type { Context, Next } from 'hono';
import { RequestError } from '../problems.ts';

/** Status 415 with `accept-encoding`, as RFC 9110, section 12.5.3 has it for requests. */
export async function encodingGuard(c: Context, next: Next): Promise<void> {
  const encoding = c.req.header('content-encoding')?.trim().toLowerCase() ?? 'identity';
  if (encoding !== 'identity' && encoding !== '') {
    throw new RequestError(
      'invalid_option',
      `The body has the content encoding ${encoding}, which is not taken: send it uncompressed.`,
      { status: 415, headers: { 'accept-encoding': 'identity' } },
    );
  }
  await next();
}
