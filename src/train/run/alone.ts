/** One training at a time in a folder: a second one would take its log away and mix its checkpoints with its own. */
import { mkdir, rmdir } from 'node:fs/promises';
import { hostname } from 'node:os';
import { dirname } from 'node:path';
import { type LockHolder, takeLock } from '../../disk/lock.ts';
import { EidosError } from '../../errors.ts';
import type { TrainingEvent } from './events.ts';
import type { TrainingPlaces } from './places.ts';
import { writing } from './whole-file.ts';

/**
 * Trains while no other process trains into the folder. A training that was killed holds nothing up.
 * @throws EidosError `invalid_option` where one does; `write_failed` where the folder cannot be written
 */
export async function aloneInFolder<T>(
  places: TrainingPlaces,
  { signal, onEvent }: { signal?: AbortSignal; onEvent?: (event: TrainingEvent) => void },
  action: () => Promise<T>,
): Promise<T> {
  const made = await writing(places.training, () => mkdir(places.training, { recursive: true }));
  const refuse = (holder: LockHolder) => inUse(places, holder);
  const onWait = () => {
    const message = `${places.lock} shows no sign of a training that lives: this one begins if that stays so for half a minute.`;
    onEvent?.({ kind: 'warning', message });
  };
  const release = await writing(places.lock, () => takeLock(places.lock, { signal, refuse, onWait }));
  try {
    return await action();
  } finally {
    await release();
    if (made !== undefined) await removeEmpty(places.training, made);
  }
}

function inUse({ output, lock }: TrainingPlaces, { host, process: id }: LockHolder): EidosError {
  const here = host === hostname() ? '' : ` on ${host}`;
  const who = id === undefined ? 'Another training' : `Another training (process ${id}${here})`;
  return new EidosError(
    'invalid_option',
    `${who} is writing into ${output}: wait for its end, stop it and go on with --resume, or name another "output". If it is none any more, ${lock} is taken for left behind after half a minute.`,
  );
}

/** Removes a folder and those around it that were made for it, as long as nothing is in them. */
async function removeEmpty(folder: string, outermost: string): Promise<void> {
  try {
    for (let empty = folder; empty.startsWith(outermost); empty = dirname(empty)) await rmdir(empty);
  } catch {
    // A training has begun, and its files are there.
  }
}
