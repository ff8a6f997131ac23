/** Makes a fresh clone ready: installs the dependencies that package-lock.json names unless they are there. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('..', import.meta.url));

/**
 * Runs `npm ci` where node_modules is missing or differs from package-lock.json; ends the process on failure.
 * @param {string} [folder] of a package with a lock file of its own
 */
export function installIfNeeded(folder = root) {
  requireNode(20, 19);
  if (isInstalled(folder)) return;
  const lock = relative(root, join(folder, 'package-lock.json'));
  console.error(`Installing the dependencies of ${lock} (once) …`);
  // What npm prints goes to stderr, so that stdout carries only the answer of the script that asked.
  const status = npm(folder, ['ci', '--no-fund', '--no-audit', '--loglevel=error']);
  if (status !== 0) {
    console.error('npm ci failed. It needs the npm registry and nothing else; see the lines above.');
    process.exit(status);
  }
}

/** @param {number} major @param {number} minor */
function requireNode(major, minor) {
  const [haveMajor = 0, haveMinor = 0] = process.versions.node.split('.').map(Number);
  if (haveMajor > major || (haveMajor === major && haveMinor >= minor)) return;
  console.error(`eidos needs Node ${major}.${minor} or later; this is ${process.versions.node}.`);
  process.exit(1);
}

/**
 * npm notes in node_modules/.package-lock.json, as its last act, what it installed: a stamp that is right
 * after `npm install` by hand too, and missing after an interrupted one.
 * @param {string} folder
 */
function isInstalled(folder) {
  const installed = packages(join(folder, 'node_modules/.package-lock.json'));
  const wanted = packages(join(folder, 'package-lock.json'));
  if (installed === undefined || wanted === undefined) return false;
  return Object.entries(wanted).every(([path, { version, optional, link }]) => {
    // The root and the workspaces are sources; packages for other platforms stay away.
    if (!path.includes('node_modules/') || link) return true;
    const found = installed[path];
    return found === undefined ? optional === true : found.version === version;
  });
}

/**
 * @param {string} file
 * @returns {Record<string, { version?: string, optional?: boolean, link?: boolean }> | undefined}
 */
function packages(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8')).packages;
  } catch {
    return undefined; // missing or half-written: install again
  }
}

/**
 * Runs the npm that started this script, or the one on the path.
 * @param {string} folder
 * @param {string[]} parameters
 * @returns {number} its exit status
 */
function npm(folder, parameters) {
  const program = process.env.npm_execpath;
  const stdio = /** @type {const} */ (['ignore', 2, 2]);
  const result = program?.endsWith('.js')
    ? spawnSync(process.execPath, [program, ...parameters], { cwd: folder, stdio: [...stdio] })
    : spawnSync('npm', parameters, { cwd: folder, stdio: [...stdio], shell: process.platform === 'win32' });
  return result.status ?? 1;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) installIfNeeded();
