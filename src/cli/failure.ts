/** How a command ends when something is wrong: one line on standard error, and an exit status. */
import { CommanderError } from 'commander';
import { EidosError } from '../errors.ts';

/** Some inputs failed, or a check did not hold; the others were answered. */
export const someFailed = 1;
/** Nothing could be done: wrong usage, no model, no device. */
export const nothingDone = 2;

/** Prints what went wrong and returns the exit status. */
export function reportFailure(error: unknown, json: boolean): number {
  // Help and version are no failures; usage errors have been printed by commander.
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : nothingDone;
  const { code, message } = describeError(error);
  if (json) process.stdout.write(`${JSON.stringify({ error: { code, message } })}\n`);
  else process.stderr.write(`eidos: ${message}\n`);
  return nothingDone;
}

/** An error as the JSON of every command has it. */
export function describeError(error: unknown): { code: string; message: string } {
  if (error instanceof EidosError) return { code: error.code, message: error.message };
  return {
    code: 'internal',
    message: error instanceof Error ? (error.stack ?? error.message) : String(error),
  };
}
