import fc from 'fast-check';
import { expect, test } from 'vitest';
import { typedText } from '../../src/text/typed.ts';

test.each([
  ['dog’s bowl', "dog's bowl"],
  ['a “big”\u00a0dog\t', 'a "big" dog'],
  ['a\u200b do\u00adg\ufe0f\ufeff', 'a dog'],
  ['one\r\ntwo\u2028three\u0085four', 'one two three four'],
  ['a\u0000 b\u001b', 'a b'],
  ['👩\u200d🚀 in space', '👩\u200d🚀 in space'],
  ['👩🏽\u200d🚀', '👩🏽\u200d🚀'],
  ['❤\ufe0f\u200d🔥', '❤\u200d🔥'],
  ['a\u200db', 'ab'],
  ['👩\u200d', '👩'],
  [
    '🏴\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e0067}\u{e007f} flag',
    '🏴\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e0067}\u{e007f} flag',
  ],
  ['a\u{e0067}\u{e007f}', 'a'],
  ['Käse 日本語', 'Käse 日本語'],
])('%j is %j', (typed, meant) => {
  expect(typedText(typed)).toBe(meant);
});

test('what was cleaned stays as it is, and words that can be seen are never lost', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), (text) => {
      const cleaned = typedText(text);
      expect(typedText(cleaned)).toBe(cleaned);
      const letters = (all: string) =>
        (all.match(/[\p{Letter}\p{Number}]/gu) ?? []).filter(
          (l) => !/\p{Default_Ignorable_Code_Point}|[ʼʻʹꞌ]/u.test(l),
        );
      expect(letters(cleaned)).toEqual(letters(text));
    }),
    { numRuns: 1000, endOnFailure: true },
  );
});
