/** Words to be subtracted that look like options: `eidos search "-people +sunset"`. */
import type { Command } from 'commander';
import { EidosError } from '../errors.ts';

/** Lets a command take words that begin with a minus; options stay options, and what could be either is refused. */
export function takesWordsWithSigns(command: Command): Command {
  const parseOptions = command.parseOptions.bind(command);
  command.parseOptions = (args) => parseOptions(withWordsMarked(command, args));
  return command;
}

/** Words get a space in front, so that they are no options; everything else stays as it is. */
function withWordsMarked(command: Command, args: readonly string[]): string[] {
  const end = args.indexOf('--');
  let isValue = false;
  return args.map((arg, place) => {
    if (isValue || (end >= 0 && place >= end)) {
      isValue = false;
      return arg;
    }
    isValue = command.options.some(({ long, short, required }) => required && [long, short].includes(arg));
    return !isValue && isWords(command, arg) ? ` ${arg}` : arg;
  });
}

/** @throws EidosError `invalid_option` for what may be an option with its value, or words */
function isWords(command: Command, arg: string): boolean {
  if (!/^-[^-]./s.test(arg)) return false;
  const letter = arg.slice(0, 2);
  const option = command.options.find(({ short }) => short === letter);
  if (option === undefined) return true;
  const value = arg.slice(2);
  // `-k5` and `-i./photos` are meant as options; `-kids` and `-indoor` hardly, and it would not be noticed.
  if (!/^[\p{Letter}'’]+(\s|$)/u.test(value)) return false;
  if (/\s[+\p{Dash}−]/u.test(value)) return true;
  throw new EidosError(
    'invalid_option',
    `${arg} may be the option ${option.long} with the value "${value}", or words to be subtracted: write \`${option.long} "${value}"\`, or \`eidos ${command.name()} -- "${arg} +…"\`.`,
  );
}
