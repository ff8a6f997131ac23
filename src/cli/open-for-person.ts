/** Opens an address or a file as a person would by clicking it: in their browser, or in the program that shows such files. */
import { spawn } from 'node:child_process';
import { EidosError } from '../errors.ts';

/**
 * Does not wait for the program that it starts.
 * @param target an address, or the path of a file
 * @throws EidosError `not_installed` where this machine has no such program
 */
export async function openForPerson(target: string): Promise<void> {
  const [command, ...args] = opener(target);
  const program = spawn(command, args, { stdio: 'ignore', detached: true });
  await new Promise<void>((resolve, reject) => {
    program.once('spawn', resolve);
    program.once('error', (cause) => {
      const message = `${target} could not be opened here (${command}: ${cause.message}): open it yourself.`;
      reject(new EidosError('not_installed', message, { cause }));
    });
  });
  program.unref();
}

/** $BROWSER is for addresses and goes before what the system has chosen. */
function opener(target: string): [command: string, ...args: string[]] {
  const isAddress = /^https?:/.test(target);
  const browser = process.env.BROWSER;
  if (isAddress && browser) return [browser, target];
  // Not by `start`: its shell would run what stands behind an & in a file's name.
  if (process.platform === 'win32') return ['explorer', target];
  return [process.platform === 'darwin' ? 'open' : 'xdg-open', target];
}
