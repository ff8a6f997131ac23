/** Runs a script against the sources in a Node process of its own. */
import { execFile, execFileSync } from 'node:child_process';
import { mkdtempSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const root = fileURLToPath(new URL('../../', import.meta.url));

/** The sources as JavaScript in a temporary folder, as a plain process does not read TypeScript on every Node. */
export function compileSources(): string {
  const folder = mkdtempSync(join(tmpdir(), 'eidos-sources-'));
  const compiler = join(root, 'node_modules/@typescript/native/bin/tsc');
  const options = ['-p', join(root, 'tsconfig.build.json'), '--noCheck', '--outDir', join(folder, 'src')];
  execFileSync(process.execPath, [compiler, ...options]);
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'), 'junction');
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }');
  return folder;
}

/**
 * Runs an ES module that finds the sources under `./src/`; returns what it prints. Fails where it does not end by
 * itself within half a minute.
 */
export async function runScript(folder: string, name: string, code: string): Promise<string> {
  const path = join(folder, name);
  writeFileSync(path, code);
  const { stdout } = await promisify(execFile)(process.execPath, [path], {
    cwd: folder,
    timeout: 30_000,
  });
  return stdout.trim();
}
