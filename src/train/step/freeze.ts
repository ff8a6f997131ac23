/** Which parameters stay as they are. */
import { EidosError } from '../../errors.ts';

/**
 * Tells of a parameter's name whether it is frozen. `image` and `text` are whole towers; in other patterns * stands for
 * any characters, as in `image.blocks.0.*`.
 * @throws EidosError `invalid_option` for a pattern that fits none of the names
 */
export function frozenNames(patterns: readonly string[], names: readonly string[]): Set<string> {
  const frozen = new Set<string>();
  for (const pattern of patterns) {
    const fits = matcher(pattern === 'image' || pattern === 'text' ? `${pattern}.*` : pattern);
    const fitting = names.filter((name) => fits.test(name));
    if (fitting.length === 0) {
      throw new EidosError(
        'invalid_option',
        `freeze: "${pattern}" is the name of no parameter; names are like ${names.slice(0, 3).join(', ')}.`,
      );
    }
    for (const name of fitting) frozen.add(name);
  }
  return frozen;
}

function matcher(pattern: string): RegExp {
  const literal = pattern.split('*').map((part) => part.replace(/[.+?^${}()|[\]\\]/g, '\\$&'));
  return new RegExp(`^${literal.join('.*')}$`);
}
