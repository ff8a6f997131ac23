/** Runs the built command line in a folder with caches and data of its own, without any network. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The built entry of the command line. */
export const commandLine = fileURLToPath(new URL('../dist/cli/main.js', import.meta.url));

export interface RunSettings {
  /** The folder whose data it has. @default the one that it runs in */
  dataFrom?: string;
  /** Variables beside those of the tests. */
  environment?: Readonly<Record<string, string>>;
}

export interface Ended {
  status: number | null;
  stdout: string;
  stderr: string;
}

export function runEidos(folder: string, args: readonly string[], settings: RunSettings = {}): Ended {
  return spawnSync(process.execPath, [commandLine, ...args], optionsOf(folder, settings));
}

/** The same by a shell's line, in which `eidos` stands for the command line. */
export function runShell(folder: string, line: string, settings: RunSettings = {}): Ended {
  const command = `eidos() { "${process.execPath}" "${commandLine}" "$@"; }; ${line}`;
  return spawnSync('sh', ['-c', command], optionsOf(folder, settings));
}

function optionsOf(folder: string, { dataFrom = folder, environment = {} }: RunSettings) {
  return {
    cwd: folder,
    encoding: 'utf8',
    env: {
      ...process.env,
      XDG_CACHE_HOME: join(folder, 'cache'),
      XDG_DATA_HOME: join(dataFrom, 'data'),
      HF_HUB_OFFLINE: '1',
      HF_HOME: join(folder, 'hub'),
      ...environment,
    },
  } as const;
}

/** What a command with --json has printed. */
export function printedLines(text: string): Record<string, unknown>[] {
  return text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}
