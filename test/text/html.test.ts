import { expect, test } from 'vitest';
import { unescapeHtml } from '../../src/text/html.ts';

/** Text and what Python 3.11's `html.unescape` makes of it. */
const cases: [string, string][] = [
  ['&amp;lt;', '&lt;'],
  ['&#0;&#128;&#159;&#x9F;&#13;', '\ufffd\u20ac\u0178\u0178\r'],
  ['&#1;x&#xFDD0;&#x1FFFF;&#127;', 'x'],
  ['&#xD800;&#x110000;&#99999999999999;', '\ufffd\ufffd\ufffd'],
  ['&notit; &not &amp', '\u00acit; \u00ac &'],
  ['&NotEqualTilde;&fjlig;', '\u2242\u0338fj'],
  ['&hellip;&hellip', '\u2026&hellip'],
  ['& &; &# &#; &#x; &#xg;', '& &; &# &#; &#x; &#xg;'],
  ['&aacute&eacute;x', '\u00e1\u00e9x'],
  ['&CounterClockwiseContourIntegral;', '\u2233'],
  ['&ampx;&amp;amp;', '&x;&amp;'],
  ['&Zeta;&zeta;', '\u0396\u03b6'],
  ['&abcdefghijklmnopqrstuvwxyzabcdefghij;', '&abcdefghijklmnopqrstuvwxyzabcdefghij;'],
  ['a&b<c&d', 'a&b<c&d'],
  ['&ouml;&Ouml&szlig', '\u00f6\u00d6\u00df'],
  ['&#x41&#65;&#065', 'AAA'],
  ['&\ud83d\ude00amp;', '&\ud83d\ude00amp;'],
  ['&AMP;&Amp;', '&&Amp;'],
];

test('HTML entities are read as Python reads them', () => {
  for (const [text, expected] of cases) expect(unescapeHtml(text), text).toBe(expected);
});

test('many ampersands take a moment', () => {
  const start = performance.now();
  for (const text of ['&', '&a', '&#', '&amp', '&#9;']) unescapeHtml(text.repeat(100_000));
  expect(performance.now() - start).toBeLessThan(5000);
});
