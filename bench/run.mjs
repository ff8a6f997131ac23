/** Runs the benchmarks and the tests beside other libraries: builds eidos, installs the peers once, starts what was asked for. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from '../scripts/build.mjs';
import { installIfNeeded } from '../scripts/install.mjs';

const here = fileURLToPath(new URL('.', import.meta.url));
const programs = {
  bench: ['src/main.mjs'],
  train: ['src/train.mjs'],
  search: ['src/search.mjs'],
  relevance: ['src/search-relevance.mjs'],
  pack: ['src/train-pack.mjs'],
  unpack: ['src/train-unpack.mjs'],
  torch: ['--test', '--test-reporter=spec', 'test/torch.test.mjs'],
  test: ['--test', '--test-reporter=spec', 'test/export.test.mjs'],
};

const [name = 'bench', ...rest] = process.argv.slice(2);
if (!Object.hasOwn(programs, name)) {
  console.error(`bench/run.mjs: "${name}" is none of ${Object.keys(programs).join(', ')}`);
  process.exit(2);
}
installIfNeeded();
build();
// PyTorch comes from the system; the rest needs the peers.
if (name === 'bench' || name === 'test' || name === 'search') installIfNeeded(here);
const program = programs[/** @type {keyof typeof programs} */ (name)].map((part) =>
  part.startsWith('--') ? part : join(here, part),
);
const { status } = spawnSync(process.execPath, [...program, ...rest], { stdio: 'inherit' });
process.exit(status ?? 1);
