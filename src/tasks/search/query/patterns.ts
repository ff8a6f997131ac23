/** Patterns of paths: * within a name, ** over folders, ? for a character; a pattern without any means a folder. */
import { EidosError } from '../../../errors.ts';

const known = new Map<string, RegExp>();

/**
 * Whether a path is meant by a pattern: a whole path, or a folder that it lies in, at the beginning or (where the
 * pattern does not begin with a slash) at any folder's.
 */
export function matchesPattern(pattern: string, path: string): boolean {
  let expression = known.get(pattern);
  if (expression === undefined) {
    expression = compile(pattern);
    known.set(pattern, expression);
  }
  return expression.test(path.replaceAll('\\', '/'));
}

function compile(pattern: string): RegExp {
  if (pattern === '') throw new EidosError('invalid_option', 'A pattern of paths is empty.');
  const trimmed = pattern.replaceAll('\\', '/').replace(/\/+$/, '');
  const body = trimmed.replace(/\*\*\/|\*\*|\*|\?|[^*?]+/g, (part) => {
    switch (part) {
      case '**/':
        return '(?:.*/)?';
      case '**':
        return '.*';
      case '*':
        return '[^/]*';
      case '?':
        return '[^/]';
      default:
        return part.replace(/[.+^${}()|[\]\\]/g, '\\$&');
    }
  });
  const anywhere = trimmed.startsWith('/') || /^[A-Za-z]:\//.test(trimmed) ? '' : '(?:.*/)?';
  return new RegExp(`^${anywhere}${body}(?:/.*)?$`, 's');
}
