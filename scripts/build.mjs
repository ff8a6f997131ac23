/** Builds `dist` from `src`: the compiler's output, files that are no code, and nothing left from before. */
import { spawnSync } from 'node:child_process';
import { chmodSync, copyFileSync, existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { installIfNeeded, root } from './install.mjs';

const source = join(root, 'src');
const target = join(root, 'dist');

/** Compiles and copies into `dist`; ends the process where the compiler finds an error. */
export function build() {
  const written = new Set([...compile(), ...copyAssets()]);
  // Stale files go one by one, and last: a program that runs from dist meanwhile keeps what it needs.
  for (const file of filesIn(target)) if (!written.has(file)) rmSync(file);
  const command = join(target, 'cli/main.js');
  if (existsSync(command)) chmodSync(command, 0o755);
}

/** @returns {string[]} the files that the compiler wrote */
function compile() {
  const compiler = join(root, 'node_modules/@typescript/native/bin/tsc');
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [compiler, '-p', 'tsconfig.build.json', '--listEmittedFiles'],
    { cwd: root, encoding: 'utf8', maxBuffer: 1 << 26 },
  );
  const marker = 'TSFILE: ';
  const lines = stdout.split(/\r?\n/);
  if (status !== 0) {
    console.error([...lines.filter((line) => !line.startsWith(marker)), stderr].join('\n').trim());
    process.exit(status ?? 1);
  }
  return lines
    .filter((line) => line.startsWith(marker))
    .map((line) => resolve(root, line.slice(marker.length)));
}

/** @returns {string[]} the copies of everything in src that the compiler does not take */
function copyAssets() {
  return filesIn(source)
    .filter((file) => !/\.[cm]?[jt]s$/.test(file))
    .map((file) => {
      const copy = join(target, relative(source, file));
      mkdirSync(dirname(copy), { recursive: true });
      copyFileSync(file, copy);
      return copy;
    });
}

/** @param {string} folder */
function filesIn(folder) {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  installIfNeeded();
  build();
}
