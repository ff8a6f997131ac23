/** Links in a terminal, which open a file by a click (OSC 8, as terminals have agreed on). */
import { hostname } from 'node:os';

/** Terminals that would show the sequence itself. */
const without = /^(dumb|linux|eterm.*|vt\d+)$/;

/** Whether a person sees links; FORCE_HYPERLINK of 0 or 1 decides it, as for other programs. */
export function showsLinks(
  { isTTY = false }: { isTTY?: boolean },
  environment: NodeJS.ProcessEnv = process.env,
): boolean {
  const forced = environment.FORCE_HYPERLINK;
  if (forced !== undefined && forced !== '') return forced !== '0';
  return isTTY && !without.test(environment.TERM ?? 'dumb');
}

/**
 * Text that leads to a file.
 * @param path the bytes of the file's absolute path
 */
export function fileLink(text: string, path: Uint8Array): string {
  return `\x1b]8;;${fileAddress(path)}\x1b\\${text}\x1b]8;;\x1b\\`;
}

/** Other machines have files of the same name: the host says whose it is. */
function fileAddress(path: Uint8Array): string {
  const plain = /[\w./~-]/;
  const letters = Array.from(path, (byte) => {
    const letter = byte < 0x80 ? String.fromCharCode(byte) : '';
    if (letter === '\\' && process.platform === 'win32') return '/';
    return plain.test(letter) ? letter : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
  }).join('');
  return `file://${hostname()}${letters.startsWith('/') ? '' : '/'}${letters}`;
}

/** A name as it may be shown: what would steer the terminal becomes visible. */
export function withoutControls(text: string): string {
  return text.replace(
    /\p{Cc}/gu,
    (letter) => `\\x${letter.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`,
  );
}
