/** How a command ends when something is wrong: one line on standard error, and an exit status. */
import { CommanderError } from 'commander';
import { EidosError } from '../errors.ts';

/** Some inputs failed, or a check did not hold; the others were answered. */
export const someFailed = 1;
/** Wrong usage, no model, no device. */
export const nothingDone = 2;

/** Prints what went wrong and returns the exit status. */
export function reportFailure(error: unknown, json: boolean): number {
  if (error instanceof CommanderError) {
    // Help and version are no failures; usage errors have been printed for people by commander.
    if (error.exitCode === 0) return 0;
    if (json) printError({ code: 'invalid_option', message: error.message.replace(/^error: /, '') });
    return nothingDone;
  }
  const described = describeError(error);
  if (json) printError(described);
  else process.stderr.write(`eidos: ${described.message}\n`);
  return nothingDone;
}

/** A picture and what is wrong with it, in one line that names it once. */
export function failureLine(image: string, error: EidosError): string {
  const { message } = describeError(error);
  return message.includes(image) ? `${message}\n` : `${image}: ${message}\n`;
}

function printError(error: { code: string; message: string }): void {
  process.stdout.write(`${JSON.stringify({ error })}\n`);
}

/** What a message advises is an option of the library's functions; a command has it under another name. */
function inOptionsOfCommands(message: string): string {
  return message.replace(/\bmaxPixels\b/, '--max-pixels');
}

/** An error as the JSON of every command has it. */
export function describeError(error: unknown): { code: string; message: string } {
  if (error instanceof EidosError) return { code: error.code, message: inOptionsOfCommands(error.message) };
  if (!(error instanceof Error)) return { code: 'internal', message: String(error) };
  // What the system refuses, "EACCES: permission denied, scandir '/x'", is no fault of the program: it needs no stack.
  const isRefusal = 'syscall' in error;
  return { code: 'internal', message: isRefusal ? error.message : (error.stack ?? error.message) };
}
