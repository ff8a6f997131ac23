/** Runs the built command line in a folder of its own caches, without any network. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The built entry of the command line. */
export const commandLine = fileURLToPath(new URL('../dist/cli/main.js', import.meta.url));

export function runEidos(
  folder: string,
  args: readonly string[],
): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(process.execPath, [commandLine, ...args], {
    cwd: folder,
    encoding: 'utf8',
    env: {
      ...process.env,
      XDG_CACHE_HOME: join(folder, 'cache'),
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
