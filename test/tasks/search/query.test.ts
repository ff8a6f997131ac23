import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { EidosError } from '../../../src/errors.ts';
import { pathMatcher } from '../../../src/tasks/search/patterns.ts';
import { parseQuery } from '../../../src/tasks/search/query/parse.ts';
import { encodeTexts, textColumn } from '../../../src/tasks/search/snapshot/columns.ts';

describe('parseQuery', () => {
  test.each([
    ['a dog on the beach', [['a dog on the beach', 1]]],
    [
      '+beach -people',
      [
        ['beach', 1],
        ['people', -1],
      ],
    ],
    [
      '2:golden retriever - fruit',
      [
        ['golden retriever', 2],
        ['fruit', -1],
      ],
    ],
    [
      'dog -leash +0.5:grass',
      [
        ['dog', 1],
        ['leash', -1],
        ['grass', 0.5],
      ],
    ],
    ['a hot-air balloon', [['a hot-air balloon', 1]]],
    ['a "+4 -x" sign', [['a +4 -x sign', 1]]],
    [
      'Fußball −Publikum',
      [
        ['Fußball', 1],
        ['Publikum', -1],
      ],
    ],
    ['at 10:30', [['at 10:30', 1]]],
    ['16:9 monitor', [['16:9 monitor', 1]]],
    ['2:dog', [['2:dog', 1]]],
    [
      '16:9 monitor -desk',
      [
        ['16:9 monitor', 1],
        ['desk', -1],
      ],
    ],
    [
      '15" monitor and 17″ monitor -desk',
      [
        ['15" monitor and 17" monitor', 1],
        ['desk', -1],
      ],
    ],
    ['«\u00a0black -white\u00a0» stripes', [['black -white stripes', 1]]],
    ['‚black -white‘ stripes', [['black -white stripes', 1]]],
    ['‹black -white› 「a +b」', [['black -white a +b', 1]]],
    [
      'the dogs’ bowl -cats’ bowl',
      [
        ["the dogs' bowl", 1],
        ["cats' bowl", -1],
      ],
    ],
    [
      'rock ’n’ roll --people',
      [
        ["rock 'n' roll", 1],
        ['people', -1],
      ],
    ],
    ['"a forgotten quote', [['a forgotten quote', 1]]],
  ] as const)('%s', (text, parts) => {
    expect(parseQuery(text)).toEqual({ parts: parts.map(([words, weight]) => ({ text: words, weight })) });
  });

  test('what asks for nothing is refused', () => {
    for (const text of ['', '   ', '-people', '+0:dog', '""', '\u200b', '„“']) {
      expect(() => parseQuery(text), text).toThrow(expect.objectContaining({ code: 'invalid_option' }));
    }
  });

  test('any text is parts with words and finite weights, or refused', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(...'ab +-:"2.0 −'), maxLength: 20 }), (text) => {
        try {
          for (const part of parseQuery(text).parts ?? []) {
            expect('text' in part && part.text.trim()).toBeTruthy();
            expect(Number.isFinite(part.weight)).toBe(true);
          }
        } catch (error) {
          expect(error).toMatchObject({ code: 'invalid_option' });
        }
      }),
      { endOnFailure: true },
    );
  });

  const letters = fc.constantFrom('a', 'bb', 'c', ' ', ' ', '-', '+', '"', "'", '2:', '.', 'é');
  const query = fc.array(letters, { maxLength: 24 }).map((parts) => parts.join(''));
  const parsed = (text: string) => {
    try {
      // Dashes inside of words stay what they are.
      const { parts } = parseQuery(text);
      return JSON.stringify(parts)
        .replace(/[\p{Dash}−]/gu, '-')
        .replaceAll('＋', '+');
    } catch (error) {
      return (error as EidosError).code;
    }
  };

  test('all dashes, plus signs, quotes and apostrophes are one, and what cannot be seen is nothing', () => {
    const kinds = { '-': '-‐‑‒–—−－﹣', '+': '+＋', '"': '"“”„«»‹›＂″', "'": "'’‘‛‚´`ʼ＇" };
    const unseen = ['\u200b', '\ufeff', '\u00ad', '\u2060', '\u200d', '\ufe0f', '\u200e', '\u0007'];
    fc.assert(
      fc.property(query, fc.infiniteStream(fc.nat(1000)), (text, numbers) => {
        const next = (): number => numbers.next().value;
        const other = [...text].map((letter) => {
          const all = [...(kinds[letter as keyof typeof kinds] ?? letter)];
          const hidden = next() % 3 === 0 ? unseen[next() % unseen.length] : '';
          return `${all[next() % all.length]}${hidden}`;
        });
        expect(parsed(other.join(''))).toEqual(parsed(text));
      }),
      { numRuns: 500, endOnFailure: true },
    );
  });

  test('parts that are written with signs, weights and quotes are read back', () => {
    const word = fc.string({ unit: fc.constantFrom(...'abcé0'), minLength: 1, maxLength: 4 });
    const part = fc.record({
      words: fc.array(word, { minLength: 1, maxLength: 3 }).map((all) => all.join(' ')),
      sign: fc.constantFrom(1, -1),
      weight: fc.constantFrom(undefined, 2, 0.5),
      hidden: fc.constantFrom('', '-x', '+ y', '3:z'),
    });
    fc.assert(
      fc.property(fc.array(part, { minLength: 1, maxLength: 4 }), (parts) => {
        const all = [...parts, { words: 'wanted', sign: 1, weight: undefined, hidden: '' }];
        const typed = all.map(({ words, sign, weight, hidden }) => {
          const quoted = hidden === '' ? '' : ` „w ${hidden}“`;
          return `${sign > 0 ? '+' : '–'}${weight === undefined ? '' : `${weight}:`}${words}${quoted}`;
        });
        const means = all.map(({ words, sign, weight = 1, hidden }) => ({
          text: hidden === '' ? words : `${words} w ${hidden}`,
          weight: sign * weight,
        }));
        expect(parseQuery(typed.join(' '))).toEqual({ parts: means });
      }),
      { numRuns: 500, endOnFailure: true },
    );
  });

  test('what has no sign and no quote is searched as it is typed', () => {
    const unit = fc.constantFrom(...'ab1:.,’ é');
    fc.assert(
      fc.property(fc.string({ unit, minLength: 1, maxLength: 20 }), (text) => {
        fc.pre(text.trim() !== '');
        const words = text.replaceAll('’', "'").replace(/ +/g, ' ').trim();
        expect(parseQuery(text)).toEqual({ parts: [{ text: words, weight: 1 }] });
      }),
      { endOnFailure: true },
    );
  });
});

test.each([
  ['holiday', '/home/a/holiday/x.jpg', true],
  ['holiday', '/home/a/holidays/x.jpg', false],
  ['/home/a', '/home/a/holiday/x.jpg', true],
  ['/a', '/home/a/x.jpg', false],
  ['*.png', '/home/a/x.png', true],
  ['*.png', '/home/a/x.png.jpg', false],
  ['a/*/x.jpg', '/home/a/b/x.jpg', true],
  ['a/*/x.jpg', '/home/a/b/c/x.jpg', false],
  ['a/**/x.jpg', '/home/a/b/c/x.jpg', true],
  ['a/**/x.jpg', '/home/a/x.jpg', true],
  ['x (1)?.jpg', '/x (1)b.jpg', true],
  ['C:/Users', 'C:\\Users\\a.jpg', true],
  ['a/**', '/home/a/b/c.jpg', true],
  ['a/**', '/home/a', false],
  ['*.p*g', '/a.png/x.png', true],
  ['h*/a*c', '/hh/ab/c', false],
] as const)('the pattern %s and %s: %s', (pattern, path, matches) => {
  expect(pathMatcher(pattern)(path)).toBe(matches);
});

test('a pattern means what the regular expression of its parts means', () => {
  const part = fc.constantFrom('a', 'b', 'ab', '*', '?', 'a*', '*b', '?a', '**');
  const name = fc.string({ unit: fc.constantFrom('a', 'b', 'c'), minLength: 1, maxLength: 3 });
  const property = fc.property(
    fc.array(part, { minLength: 1, maxLength: 4 }),
    fc.boolean(),
    fc.array(name, { minLength: 1, maxLength: 5 }),
    (parts, isRooted, names) => {
      const expression = parts
        .map((own, i) => {
          if (own === '**') return i === parts.length - 1 ? '[^/]+(?:/[^/]+)*/' : '(?:[^/]+/)*';
          return `${own.replaceAll('*', '[^/]*').replaceAll('?', '[^/]')}/`;
        })
        .join('');
      const whole = new RegExp(`^/${isRooted ? '' : '(?:[^/]+/)*'}${expression}(?:[^/]+/)*$`);
      const pattern = `${isRooted ? '/' : ''}${parts.join('/')}`;
      expect(pathMatcher(pattern)(`/${names.join('/')}`)).toBe(whole.test(`/${names.join('/')}/`));
    },
  );
  fc.assert(property, { numRuns: 1000, endOnFailure: true });
});

test('a pattern of many stars takes no more steps than its length times that of the path', () => {
  // As a regular expression it would be busy for longer than the universe is old.
  expect(pathMatcher(`${'*a'.repeat(1000)}b`)('a'.repeat(2000))).toBe(false);
  expect(pathMatcher(`${'**/a/'.repeat(500)}b`)('a/'.repeat(1000))).toBe(false);
});

test('columns give every text back', () => {
  fc.assert(
    fc.property(fc.array(fc.string({ unit: 'grapheme' })), (texts) => {
      const column = textColumn(encodeTexts(texts));
      expect(Array.from({ length: column.length }, (_, row) => column.get(row))).toEqual(texts);
    }),
    { endOnFailure: true },
  );
});
