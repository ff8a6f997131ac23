/** How much the server takes on at a time: what is over it is refused at once, and told when to come again. */
import { EidosError } from '../../errors.ts';

/** Room for so many things; whoever enters leaves. */
export interface Admission {
  readonly inside: number;
  /**
   * @returns leaves again; may be called more than once
   * @throws EidosError `overloaded`
   */
  enter(count: number): () => void;
}

/**
 * @param most a request that alone asks for more is taken on when nothing else is inside
 * @param what names the things in the message
 */
export function createAdmission(most: number, what: string): Admission {
  let inside = 0;
  return {
    get inside() {
      return inside;
    },
    enter(count) {
      if (inside > 0 && inside + count > most) {
        throw new EidosError(
          'overloaded',
          `The server is busy with ${inside} ${what} and takes no more than ${most}: try again later.`,
        );
      }
      inside += count;
      let open = true;
      return () => {
        if (open) inside -= count;
        open = false;
      };
    },
  };
}

/** Lets so many tasks run at a time; the others wait in line. */
export function createGate(width: number): <T>(task: () => Promise<T>, signal?: AbortSignal) => Promise<T> {
  const waiting: (() => void)[] = [];
  let running = 0;
  return async (task, signal) => {
    if (running >= width) await new Promise<void>((go) => waiting.push(go));
    else running += 1;
    try {
      if (signal?.aborted)
        throw new EidosError('aborted', 'The request was given up.', { cause: signal.reason });
      return await task();
    } finally {
      // The place goes to the next in line, or is free.
      const next = waiting.shift();
      if (next === undefined) running -= 1;
      else next();
    }
  };
}
