/** Runs the built command line in a folder with caches and data of its own, without any network. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The built entry of the command line. */
export const commandLine = fileURLToPath(new URL('../dist/cli/main.js', import.meta.url));

export function runEidos(
  folder: string,
  args: readonly string[],
  { dataFrom = folder }: { dataFrom?: string } = {},
): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(process.execPath, [commandLine, ...args], {
    cwd: folder,
    encoding: 'utf8',
    env: {
      ...process.env,
      XDG_CACHE_HOME: join(folder, 'cache'),
      XDG_DATA_HOME: join(dataFrom, 'data'),
      HF_HUB_OFFLINE: '1',
      HF_HOME: join(folder, 'hub'),
    },
  });
}

/** What a command with --json has printed. */
export function printedLines(text: string): Record<string, unknown>[] {
  return text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}
