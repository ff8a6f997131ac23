/** Copies as files of a folder: one for each version that somebody may still read. */
import { mkdir, readdir, realpath, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { openWeights, writeSafetensors } from '../../../checkpoint/index.ts';
import type { About } from '../store/about.ts';
import { aboutOf, parseContent, type SnapshotContent } from './content.ts';
import type { Snapshot } from './snapshot.ts';

/** The copy of this version, or undefined where there is none or it cannot be used. */
export async function readSnapshot(folder: string, key: string): Promise<Snapshot | undefined> {
  try {
    // The engine maps only files by their real path.
    const { tensors, metadata } = await openWeights(join(await realpath(folder), fileOf(key)));
    return await parseContent(tensors, metadata, key);
  } catch {
    return undefined;
  }
}

/** What a copy is of, without reading more than its header; undefined where it cannot be used. */
export async function snapshotAbout(folder: string, key: string): Promise<About | undefined> {
  try {
    const { metadata } = await openWeights(join(folder, fileOf(key)));
    return aboutOf(metadata, key);
  } catch {
    return undefined;
  }
}

/** Writes a copy, and clears away those that nobody reads any more. Errors of the system pass as they are. */
export async function writeSnapshot(
  folder: string,
  key: string,
  { entries, metadata }: SnapshotContent,
): Promise<void> {
  await mkdir(folder, { recursive: true });
  await writeSafetensors(join(folder, fileOf(key)), entries, metadata);
  await removeFormer(folder, key);
}

/** Keys of the copies that lie in a folder. */
export async function listSnapshots(folder: string): Promise<string[]> {
  const names = await readdir(folder).catch(() => []);
  return names.flatMap((name) => /^snapshot-(.+)\.safetensors$/.exec(name)?.[1] ?? []);
}

/** Somebody may have opened a former copy and not yet mapped it; after this many milliseconds surely nobody has. */
const formerCopies = 60_000;

async function removeFormer(folder: string, key: string): Promise<void> {
  for (const name of await readdir(folder)) {
    if (!name.startsWith('snapshot-') || name === fileOf(key)) continue;
    const path = join(folder, name);
    const status = await stat(path).catch(() => undefined);
    if (status === undefined || Date.now() - status.mtimeMs < formerCopies) continue;
    await rm(path, { force: true }).catch(() => {}); // Windows keeps what is mapped; then another time
  }
}

function fileOf(key: string): string {
  return `snapshot-${key}.safetensors`;
}
