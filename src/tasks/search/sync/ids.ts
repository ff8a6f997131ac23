/** Ids of pictures that are new to a table: those that a former model's table had for them, or new ones. */
import { randomBytes } from 'node:crypto';
import type { PictureRow } from '../store/rows.ts';
import { groupByHash } from './picture-rows.ts';
import type { FoundFile } from './scan.ts';

/** @param hash of the file's bytes */
export type NewId = (file: FoundFile, hash: string) => string;

/**
 * @param former rows of the table whose place this one takes
 * @param rows of this table, whose ids are taken
 */
export function createIds(former: readonly PictureRow[], rows: readonly PictureRow[]): NewId {
  const formerByPath = new Map(former.map((row) => [row.path, row]));
  const formerByHash = groupByHash(former);
  const taken = new Set(rows.map(({ id }) => id));
  return (file, hash) => {
    const old = formerByPath.get(file.path) ?? formerByHash.get(hash)?.find(({ id }) => !taken.has(id));
    const id = old !== undefined && !taken.has(old.id) ? old.id : randomBytes(10).toString('hex');
    taken.add(id);
    return id;
  };
}
