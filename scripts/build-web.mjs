/**
 * Builds the page: `web/src` → `web/dist`, which `eidos serve` hands out and the npm package carries.
 *
 * Its packages have a lock file of their own and are installed here, on the first build, so that a clone that only
 * classifies never fetches them.
 */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { installIfNeeded, root } from './install.mjs';

const web = join(root, 'web');

/** Checks the types of the page and bundles it; ends the process where either finds an error. */
export function buildWeb() {
  run(join(root, 'node_modules/@typescript/native/bin/tsc'), ['-p', 'tsconfig.json']);
  run(join(web, 'node_modules/vite/bin/vite.js'), ['build', '--logLevel', 'warn']);
}

/** @param {string} program @param {string[]} parameters */
function run(program, parameters) {
  const { status } = spawnSync(process.execPath, [program, ...parameters], { cwd: web, stdio: 'inherit' });
  if (status !== 0) process.exit(status ?? 1);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  installIfNeeded();
  installIfNeeded(web);
  buildWeb();
}
