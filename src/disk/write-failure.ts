/** What the system says where something cannot be written, as an error that says what to do. */
import { EidosError } from '../errors.ts';

/**
 * The error to throw for what was caught while writing: one of the system's as `write_failed`; others, which are no matter
 * of the disk or say themselves what to do, as they are.
 * @param tell the message, from the system's reason
 */
export function writeFailure(cause: unknown, tell: (reason: string) => string): unknown {
  if (cause instanceof EidosError) return cause;
  const { code, message } = cause as NodeJS.ErrnoException;
  return code === undefined ? cause : new EidosError('write_failed', tell(message), { cause });
}
