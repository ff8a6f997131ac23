/**
 * Compiles src/image/kernel.as to src/image/kernel-bytes.ts. Needed only after a change to the kernel: the
 * compiler is large and fetched for the occasion, the result is under a kilobyte and kept.
 */
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const compiler = 'assemblyscript@0.28.20';
const folder = mkdtempSync(join(tmpdir(), 'eidos-kernel-'));
const image = fileURLToPath(new URL('../src/image/', import.meta.url));
copyFileSync(join(image, 'kernel.as'), join(folder, 'kernel.ts'));
const options = ['-O3', '--enable', 'simd', '--runtime', 'stub', '--noAssert', '--importMemory'];
const command = ['--yes', '-p', compiler, 'asc', 'kernel.ts', '-o', 'kernel.wasm', ...options];
execFileSync('npx', command, { cwd: folder, stdio: 'inherit', shell: process.platform === 'win32' });

const text = readFileSync(join(folder, 'kernel.wasm')).toString('base64');
const lines = text.match(/.{1,100}/g) ?? [];
writeFileSync(
  join(image, 'kernel-bytes.ts'),
  `/** The resampling kernel, made from kernel.as by scripts/build-kernel.mjs with ${compiler}: not to be edited. */
export const kernelBytes = [
${lines.map((line) => `  '${line}',`).join('\n')}
].join('');
`,
);
rmSync(folder, { recursive: true });
