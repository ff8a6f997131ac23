/** Who may read the files of an index: LanceDB makes most of them for their owner alone, whatever the umask says. */
import { chmod, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';

const permissionBits = 0o777;
const ownerAlone = 0o600;

/** Gives files of an index's tables the mode that the umask gives to any other new file. */
export async function applyUmask(folder: string): Promise<void> {
  const wanted = 0o666 & ~process.umask();
  if (process.platform === 'win32' || wanted === ownerAlone) return;
  const tables = (await readdir(folder).catch(() => [])).filter((name) => name.endsWith('.lance'));
  for (const table of tables) {
    const entries = await readdir(join(folder, table), { recursive: true, withFileTypes: true }).catch(
      () => [],
    );
    await Promise.all(
      entries
        .filter((entry) => entry.isFile())
        .map((entry) => share(join(entry.parentPath, entry.name), wanted)),
    );
  }
}

/** What is cleared away while we look, or belongs to somebody else, stays as it is. */
async function share(path: string, wanted: number): Promise<void> {
  try {
    const { mode } = await stat(path);
    if ((mode & permissionBits) === ownerAlone) await chmod(path, wanted);
  } catch {
    // Somebody else's, or gone.
  }
}
