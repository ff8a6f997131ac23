/** One side of a comparison: a process of its own, so that neither side's threads, caches and memory touch the other's. */
import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/**
 * What a side reports after a task.
 * @typedef {{ seconds: number, cpuSeconds: number, value?: any }} Outcome
 * @typedef {{ name: string, run(task: object): Promise<Outcome>, end(): Promise<void> }} Contestant
 */

/**
 * Starts `sides/NAME.mjs`, which opens what `setup` says, and waits until it is ready.
 * @param {string} name
 * @param {object} setup
 * @returns {Promise<Contestant>}
 */
export async function contestant(name, setup) {
  const path = fileURLToPath(new URL(`sides/${name}.mjs`, import.meta.url));
  const child = fork(path, [JSON.stringify(setup)], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  /** @type {(message: any) => void} */
  let deliver = () => {};
  /** @type {(error: Error) => void} */
  let fail = () => {};
  let ending = false;
  child.on('message', (message) => deliver(message));
  child.on('exit', (code) => {
    if (!ending) fail(new Error(`${name} ended with status ${code}`));
  });
  /** @returns {Promise<any>} */
  const next = () =>
    new Promise((resolve, reject) => {
      deliver = resolve;
      fail = reject;
    });
  await next();
  return {
    name,
    run(task) {
      const answer = next();
      child.send(task);
      return answer;
    },
    async end() {
      ending = true;
      const exit = new Promise((resolve) => child.on('exit', resolve));
      child.disconnect();
      await exit;
    },
  };
}

/**
 * The child's half: announces itself, then measures each task that comes, until the parent lets go.
 * @param {(task: any) => Promise<unknown>} perform
 * @param {() => Promise<void>} [close]
 */
export function serve(perform, close = async () => {}) {
  process.on('message', async (task) => {
    const cpu = process.cpuUsage();
    const start = performance.now();
    const value = await perform(task);
    const seconds = (performance.now() - start) / 1000;
    const { user, system } = process.cpuUsage(cpu);
    process.send?.({ seconds, cpuSeconds: (user + system) / 1e6, value });
  });
  process.on('disconnect', () => {
    close().then(() => process.exit());
  });
  process.send?.('ready');
}

/** What the process has taken of the machine's memory at most, in megabytes; Linux only. */
export async function peakMegabytes() {
  const { readFile } = await import('node:fs/promises');
  const status = await readFile('/proc/self/status', 'utf8').catch(() => '');
  const kilobytes = Number(/VmHWM:\s+(\d+)/.exec(status)?.[1]);
  return Number.isFinite(kilobytes) ? kilobytes / 1000 : process.resourceUsage().maxRSS / 1000;
}
