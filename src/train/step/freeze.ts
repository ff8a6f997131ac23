/** Which parameters stay as they are. */
import { EidosError } from '../../errors.ts';

/**
 * The names that are frozen. `image` and `text` are whole towers; in other patterns * stands for any characters, as in
 * `image.blocks.0.*`.
 * @throws EidosError `invalid_option` for a pattern that fits none of the names
 */
export function frozenNames(patterns: readonly string[], names: readonly string[]): Set<string> {
  for (const pattern of patterns) {
    if (fittingNames([pattern], names).size > 0) continue;
    throw new EidosError(
      'invalid_option',
      `freeze: "${pattern}" is the name of no parameter; names are like ${names.slice(0, 3).join(', ')}.`,
    );
  }
  return fittingNames(patterns, names);
}

/** The same, where a pattern may fit none. */
export function fittingNames(patterns: readonly string[], names: readonly string[]): Set<string> {
  const fits = patterns.map((pattern) =>
    matcher(pattern === 'image' || pattern === 'text' ? `${pattern}.*` : pattern),
  );
  return new Set(names.filter((name) => fits.some((one) => one.test(name))));
}

function matcher(pattern: string): RegExp {
  const literal = pattern.split('*').map((part) => part.replace(/[.+?^${}()|[\]\\]/g, '\\$&'));
  return new RegExp(`^${literal.join('.*')}$`);
}
