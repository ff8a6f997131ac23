/** Calls to LanceDB: its failures in the words of eidos, and texts inside of SQL. */
import { EidosError } from '../../../errors.ts';
import { localFolder } from './folder.ts';
import { applyUmask } from './permissions.ts';

/**
 * Runs an action on the store; the files that it writes get the umask's mode.
 * @throws EidosError `write_failed` where the disk or the bucket refuses, or others are faster; `invalid_index` for everything else that
 * LanceDB finds wrong, which is damage
 */
export async function inStore<T>(path: string, kind: 'read' | 'write', action: () => Promise<T>): Promise<T> {
  try {
    const answer = await action();
    const folder = localFolder(path);
    if (kind === 'write' && folder !== undefined) await applyUmask(folder);
    return answer;
  } catch (cause) {
    if (cause instanceof EidosError) throw cause;
    const reason = reasonOf(cause);
    if (isConflict(cause)) {
      throw new EidosError(
        'write_failed',
        `The index ${path} is being changed by another process: do the same again when that is done.`,
        { cause },
      );
    }
    if (kind === 'write' && refusal.test(reason)) {
      throw new EidosError('write_failed', `The index ${path} cannot be written: ${reason}`, { cause });
    }
    if (refusal.test(reason)) {
      throw new EidosError('not_found', `The index ${path} cannot be reached: ${reason}`, { cause });
    }
    throw new EidosError(
      'invalid_index',
      `The index ${path} is damaged: ${reason}. Bring it back from a copy, or delete it and index the folders again.`,
      { cause },
    );
  }
}

/** Whether a commit came too late, as another process's did before it: nothing was written. */
export function isConflict(cause: unknown): boolean {
  return /commit conflict|concurrent (transaction|writer)/i.test(String(cause));
}

const refusal =
  /no space|disk full|storage ?full|quota|permission denied|read-only|os error (13|28|30|122)\b|credential|forbidden|access ?denied|connection refused|error sending request|timed out/i;

/** What LanceDB says, without the places in its own sources, and each of its causes once. */
function reasonOf(cause: unknown): string {
  const text = cause instanceof Error ? cause.message : String(cause);
  const reasons = text
    .split('\n')[0]!
    .split(/\s*Caused by:\s*/)
    .map((reason) =>
      reason
        .replace(/,?\s*(?:\bat )?\S*\.rs:\d+(?::\d+)?/g, '')
        .replace(/(?:lance error: |LanceError\(\w+\): )+/gi, '')
        .trim()
        .replace(/[.:,]$/, ''),
    );
  const told = reasons.filter((reason, i) => !reasons.slice(0, i).some((before) => before.includes(reason)));
  return told.join(': ').slice(0, 400);
}

/** A text as SQL writes it. */
export function quoted(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}
