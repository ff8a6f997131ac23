/** Runs a script against the sources in a Node process of its own. */
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

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
 * Runs an ES module that finds the sources under `./src/`; returns its status and all that it prints. A process
 * that does not end by itself within half a minute is stopped and has no status.
 */
export function runScript(
  folder: string,
  name: string,
  code: string,
): Promise<{ status: number | null; output: string }> {
  writeFileSync(join(folder, name), code);
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [join(folder, name)], { cwd: folder, timeout: 30_000 });
    let output = '';
    const collect = (text: Buffer): void => {
      output += text.toString();
    };
    child.stdout.on('data', collect);
    child.stderr.on('data', collect);
    child.on('close', (status) => resolve({ status, output: output.trim() }));
  });
}
