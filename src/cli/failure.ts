/** How a command ends when something is wrong: one line on standard error, and an exit status. */
import { existsSync } from 'node:fs';
import { CommanderError } from 'commander';
import { EidosError } from '../errors.ts';

/** Some inputs failed, or a check did not hold; the others were answered. */
export const someFailed = 1;
/** Wrong usage, no model, no device. */
export const nothingDone = 2;

/**
 * Prints what went wrong and returns the exit status.
 * @param args what was typed: a file in it that looks like an option may be why
 */
export function reportFailure(error: unknown, json: boolean, args: readonly string[] = []): number {
  const hint = hiddenFileHint(args);
  if (error instanceof CommanderError) {
    // Help and version are no failures; usage errors have been printed for people by commander.
    if (error.exitCode === 0) return 0;
    if (json)
      printError({
        code: 'invalid_option',
        message: `${error.message.replace(/^error: /, '')}${hint === '' ? '' : `.${hint}`}`,
      });
    else if (hint !== '') process.stderr.write(`eidos:${hint}\n`);
    return nothingDone;
  }
  const { code, message } = describeError(error);
  const described = { code, message: `${message}${hint}` };
  if (json) printError(described);
  else process.stderr.write(`eidos: ${described.message}\n`);
  return nothingDone;
}

/** How to name files that were taken for options; nothing where there are none. */
function hiddenFileHint(args: readonly string[]): string {
  const end = args.indexOf('--');
  const files = (end < 0 ? args : args.slice(0, end)).filter((arg) => arg.startsWith('-') && existsSync(arg));
  const [file] = files;
  return file === undefined
    ? ''
    : ` ${file} looks like an option: write ./${file} for the file of this name, or -- before it.`;
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
