/** The files and folders that a source's path means: as it stands, by a range of numbers, or by a glob. */
import { existsSync } from 'node:fs';
import { access, constants, stat } from 'node:fs/promises';
import { firstFound, isPattern } from '../../disk/pattern-readings.ts';
import { EidosError } from '../../errors.ts';

/** Ranges of more numbers are a slip of the hand. */
const mostNumbers = 100_000;

/**
 * Expands `{000..015}` to all its numbers (each must be there) and globs to what they match.
 * @throws EidosError `not_found` for what is not there and folders that may not be read, `invalid_option` for impossible ranges
 */
export async function expandSourcePaths(paths: readonly string[]): Promise<string[]> {
  const found: string[] = [];
  for (const path of paths.flatMap((one) => (existsSync(one) ? [one] : expandRanges(one)))) {
    const status = await stat(path).catch(() => undefined);
    if (status !== undefined) {
      if (status.isDirectory()) await checkReadable(path);
      found.push(path);
      continue;
    }
    const { glob: search } = await import('tinyglobby');
    const pattern = process.platform === 'win32' ? path.replaceAll('\\', '/') : path;
    const matches = isPattern(pattern)
      ? await firstFound(pattern, (glob, folder) =>
          search(glob, {
            ...(folder === '' ? { absolute: true } : { cwd: folder }),
            expandDirectories: false,
            onlyFiles: false,
          }),
        )
      : [];
    if (matches.length === 0) {
      throw new EidosError('not_found', `The source ${path} is not there: no file, folder or match.`);
    }
    found.push(...matches.sort());
  }
  return found;
}

async function checkReadable(folder: string): Promise<void> {
  await access(folder, constants.R_OK | constants.X_OK).catch((cause: Error) => {
    throw new EidosError(
      'not_found',
      `The source ${folder} cannot be read: ${cause.message}. Change its permissions, or name another folder.`,
      { cause },
    );
  });
}

/** `a-{08..11}` is a-08, a-09, a-10, a-11; as many digits as the first number has. */
export function expandRanges(pattern: string): string[] {
  const match = /^(.*?)\{(\d+)\.\.(\d+)\}(.*)$/s.exec(pattern);
  if (match === null) return [pattern];
  const [, before = '', first = '', last = '', after = ''] = match;
  const count = Number(last) - Number(first) + 1;
  if (!(count >= 1 && count <= mostNumbers)) {
    throw new EidosError(
      'invalid_option',
      `{${first}..${last}} in ${pattern} must count upwards, ${mostNumbers} numbers at most.`,
    );
  }
  const rests = expandRanges(after);
  return Array.from({ length: count }, (_, at) =>
    String(Number(first) + at).padStart(first.length, '0'),
  ).flatMap((number) => rests.map((rest) => `${before}${number}${rest}`));
}
