/** HTML entities to characters, as browsers and Python's `html.unescape` read them; and the way back for what is written. */

import { namedEntities } from './html-entities.ts';

/** Numeric references of Windows-1252 that HTML5 reads as what their writers meant. */
const windows1252 = '€\x81‚ƒ„…†‡ˆ‰Š‹Œ\x8dŽ\x8f\x90‘’“”•–—˜™š›œ\x9džŸ';

const reference = /&(#[0-9]+;?|#[xX][0-9a-fA-F]+;?|[^\t\n\f <&#;]{1,32};?)/gu;

let table: Map<string, string> | undefined;

/** Replaces `&name;`, `&#10;` and `&#xA;`; the old names also without their semicolon. */
export function unescapeHtml(text: string): string {
  if (!text.includes('&')) return text;
  return text.replace(reference, (_, body: string) =>
    body.startsWith('#') ? numericCharacter(body.slice(1)) : namedCharacter(body),
  );
}

function numericCharacter(digits: string): string {
  const body = digits.endsWith(';') ? digits.slice(0, -1) : digits;
  const code = /^[xX]/.test(body) ? Number.parseInt(body.slice(1), 16) : Number.parseInt(body, 10);
  if (code === 0 || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) return '\uFFFD';
  if (code === 0x0d) return '\r';
  if (code >= 0x80 && code <= 0x9f) return windows1252[code - 0x80]!;
  const control = code < 0x20 && code !== 0x09 && code !== 0x0a && code !== 0x0c;
  const noCharacter = (code >= 0xfdd0 && code <= 0xfdef) || (code & 0xfffe) === 0xfffe;
  return control || code === 0x7f || noCharacter ? '' : String.fromCodePoint(code);
}

function namedCharacter(name: string): string {
  table ??= readTable();
  const whole = table.get(name);
  if (whole !== undefined) return whole;
  // The longest old name that the text begins with: `&notit;` is `¬it;`.
  for (let length = name.length - 1; length > 1; length--) {
    const character = table.get(name.slice(0, length));
    if (character !== undefined) return character + name.slice(length);
  }
  return `&${name}`;
}

function readTable(): Map<string, string> {
  const entries = new Map<string, string>();
  for (const row of namedEntities.trim().split(/\s+/)) {
    const [marked, codes] = row.split(':') as [string, string];
    const character = String.fromCodePoint(...codes.split('+').map((code) => Number.parseInt(code, 16)));
    const name = marked.replace('*', '');
    entries.set(`${name};`, character);
    if (marked.startsWith('*')) entries.set(name, character);
  }
  return entries;
}

/** A text as it may stand in HTML, within quotes too. */
export function escapeHtml(text: string): string {
  return text.replace(
    /[&<>"']/g,
    (character) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' })[character]!,
  );
}
