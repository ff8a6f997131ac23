/** PyTorch of the system as a contestant, configured so that its libraries do not fight each other. */
import { spawn, spawnSync } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const program = fileURLToPath(new URL('sides/torch_step.py', import.meta.url));
const pythons = ['python3', '/usr/bin/python3'];

/**
 * The Python that has PyTorch and its version, or undefined. On Debian the package libopenblas0-pthread must be there
 * too: the reference BLAS that comes without it is some twenty times slower, and no comparison.
 */
export function findTorch() {
  for (const python of pythons) {
    const { status, stdout } = spawnSync(python, ['-c', 'import torch; print(torch.__version__)'], {
      encoding: 'utf8',
    });
    if (status === 0) return { python, version: stdout.trim() };
  }
  return undefined;
}

/**
 * @param {string} python
 * @param {{ threads: number, image: { kind: string }, channelsLast?: boolean }} setup
 * @returns {Promise<import('./contestant.mjs').Contestant>}
 */
export async function torchContestant(python, setup) {
  // Debian's build has OpenMP beside a BLAS with threads of its own: spinning threads of the one starve the other,
  // and torch.set_num_threads does not reach the BLAS. Without these it would lose by a factor of two.
  const fair = setup.threads === 1 ? { OPENBLAS_NUM_THREADS: '1' } : { OMP_WAIT_POLICY: 'PASSIVE' };
  const child = spawn(python, [program, JSON.stringify(setup)], {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: { ...process.env, OMP_NUM_THREADS: String(setup.threads), ...fair },
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const next = async () => {
    const { value, done } = await lines.next();
    if (done) throw new Error('PyTorch ended');
    return JSON.parse(value);
  };
  await next();
  return {
    name: setup.channelsLast ? 'PyTorch (channels last)' : 'PyTorch',
    run(task) {
      child.stdin.write(`${JSON.stringify(task)}\n`);
      return next();
    },
    async end() {
      const exit = new Promise((resolve) => child.on('exit', resolve));
      child.stdin.end();
      await exit;
    },
  };
}
