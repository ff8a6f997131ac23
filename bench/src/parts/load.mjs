/** From starting Node to the first embedding, in cold processes. */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { compare, inTermsOf } from '../rounds.mjs';

const program = fileURLToPath(new URL('../sides/cold.mjs', import.meta.url));

/** @param {import('../setting.mjs').Setting} setting @returns {AsyncGenerator<import('../report.mjs').Row>} */
export async function* load({ checkpoint, exportedFolder, files, rounds }) {
  const theirs = cold({ side: 'transformers.js', model: await exportedFolder() });
  // The first mode is what the commands use; 'cached' has been filled by the run that is not measured.
  for (const mode of ['fast-start', 'cached']) {
    const ours = cold({ side: 'eidos', model: await checkpoint(), load: mode });
    const pairs = await compare(ours, theirs, () => ({ file: files[0] }), rounds);
    const result = inTermsOf(pairs, (ratio) => 1 / ratio);
    yield {
      metric: `Node's start to the first embedding, ViT-B/32, ${mode}`,
      comparison: result,
      value: result.wall,
      target: 0.4,
      atLeast: false,
      detail: `${result.ours.seconds.toFixed(2)} s against ${result.theirs.seconds.toFixed(2)} s`,
    };
  }
}

/**
 * A side whose every task is a process of its own.
 * @param {object} setup
 * @returns {import('../contestant.mjs').Contestant}
 */
function cold(setup) {
  return {
    name: JSON.stringify(setup),
    end: async () => {},
    run: (task) =>
      new Promise((resolve, reject) => {
        const start = performance.now();
        const child = spawn(process.execPath, [program, JSON.stringify({ ...setup, ...task })], {
          stdio: ['ignore', 'pipe', 'inherit'],
        });
        let text = '';
        child.stdout.on('data', (chunk) => {
          text += chunk;
        });
        child.on('exit', (code) => {
          const seconds = (performance.now() - start) / 1000;
          if (code === 0) resolve({ seconds, cpuSeconds: JSON.parse(text).cpuSeconds });
          else reject(new Error(`${JSON.stringify(setup)} ended with status ${code}`));
        });
      }),
  };
}
