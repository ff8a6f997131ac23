/** What the page reads from and writes into text: its address, labels, paths, and its languages. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Address, formatAddress, parseAddress } from '../../web/src/address.ts';
import { parseLabels } from '../../web/src/classify/labels.ts';
import { english } from '../../web/src/language/english.ts';
import { german } from '../../web/src/language/german.ts';
import { fileName, folderOf } from '../../web/src/picture/file-name.ts';

describe('address', () => {
  test('comes back as it was written', () => {
    const addresses = fc.record<Address>(
      {
        view: fc.constantFrom('search', 'classify'),
        words: fc.string({ unit: 'grapheme' }),
        closest: fc.boolean(),
        picture: fc.option(fc.string({ minLength: 1 }), { nil: undefined }),
      },
      { noNullPrototype: true },
    );
    fc.assert(
      fc.property(addresses, (address) => {
        expect(parseAddress(formatAddress(address))).toEqual(address);
      }),
      { endOnFailure: true },
    );
  });

  test('the start page has none, and strangers’ fields are passed over', () => {
    expect(formatAddress(parseAddress(''))).toBe('');
    expect(parseAddress('?view=settings&q=a+dog&closest=yes&picture=&more=1')).toEqual({
      view: 'search',
      words: 'a dog',
      closest: false,
      picture: undefined,
    });
  });
});

test('labels stand between commas, semicolons and line ends, each once', () => {
  expect(parseLabels(' a dog, a  cat;a dog\n\n the sea ,,')).toEqual(['a dog', 'a cat', 'the sea']);
  expect(parseLabels(' , ;\n')).toEqual([]);
});

test('names and folders of paths of both systems', () => {
  expect([fileName('/a/b c.jpg'), folderOf('/a/b c.jpg')]).toEqual(['b c.jpg', '/a']);
  expect([fileName('C:\\a\\b.jpg'), folderOf('C:\\a\\b.jpg')]).toEqual(['b.jpg', 'C:\\a']);
  expect([fileName('b.jpg'), folderOf('b.jpg')]).toEqual(['b.jpg', '']);
});

describe('languages', () => {
  test('numbers, shares, bytes and dates are written as each language does', () => {
    expect([english.number(1284), german.number(1284)]).toEqual(['1,284', '1.284']);
    expect([english.percent(0.87), german.percent(0.87)]).toEqual(['87%', '87\u00a0%']);
    expect([english.bytes(1_234_567), german.bytes(1_234_567)]).toEqual(['1.2 MB', '1,2 MB']);
    expect([english.bytes(0), english.bytes(999), english.bytes(20_400)]).toEqual([
      '0 byte',
      '999 byte',
      '20 kB',
    ]);
    expect([english.date('2024-05-31'), german.date('2024-05-31')]).toEqual(['May 31, 2024', '31. Mai 2024']);
    expect(english.date('some day')).toBe('some day');
  });

  test('one picture is no plural', () => {
    expect([english.find.fits(1), english.find.fits(2)]).toEqual([
      '1 picture fits, best first',
      '2 pictures fit, best first',
    ]);
    expect([german.find.fits(1), german.find.fits(2)]).toEqual([
      '1 Bild passt, beste zuerst',
      '2 Bilder passen, beste zuerst',
    ]);
  });

  test('German says nothing in English', () => {
    const words = (value: unknown): string[] =>
      typeof value === 'string' ? [value] : Object.values(value ?? {}).flatMap(words);
    const same = words(german).filter((text) => words(english).includes(text));
    expect(same.sort()).toEqual(['Pixel', 'System'].filter((text) => same.includes(text)));
  });
});
