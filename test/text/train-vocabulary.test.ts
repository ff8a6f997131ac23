import { Tokenizer as LibraryTokenizer } from '@huggingface/tokenizers';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { readTokenizerFiles } from '../../src/text/hugging-face.ts';
import { createWordCounts, trainBytePairVocabulary } from '../../src/text/train-vocabulary.ts';
import { sampleSentences } from './sample-sentences.ts';

/** The same algorithm, counted anew for every merge: slow and plain. */
function trainSlowly(sentences: readonly string[], merges: number): string[] {
  const words = new Map<string, { symbols: string[]; count: number }>();
  for (const word of sentences.flatMap((sentence) => sentence.match(/[a-z]+/g) ?? [])) {
    const symbols = [...word];
    symbols[symbols.length - 1] += '</w>';
    const known = words.get(word);
    if (known === undefined) words.set(word, { symbols, count: 1 });
    else known.count++;
  }
  // Ids as the vocabulary numbers them; of equally frequent pairs the one with the lower ids comes first.
  const ids = new Map([...'abc'].map((letter, id) => [letter, id]));
  for (const letter of 'abc') ids.set(`${letter}</w>`, ids.size);
  const learned: string[] = [];
  while (learned.length < merges) {
    const pairs = new Map<string, number>();
    for (const { symbols, count } of words.values()) {
      for (let i = 0; i + 1 < symbols.length; i++) {
        const pair = `${symbols[i]} ${symbols[i + 1]}`;
        pairs.set(pair, (pairs.get(pair) ?? 0) + count);
      }
    }
    const order = (pair: string): number => {
      const [left, right] = pair.split(' ') as [string, string];
      return ids.get(left)! * 1000 + ids.get(right)!;
    };
    const [best] = [...pairs]
      .filter(([pair, count]) => count >= 2 && !ids.has(pair.replace(' ', '')))
      .sort((a, b) => b[1] - a[1] || order(a[0]) - order(b[0]));
    if (best === undefined) break;
    const [left, right] = best[0].split(' ') as [string, string];
    learned.push(best[0]);
    ids.set(left + right, ids.size);
    for (const { symbols } of words.values()) {
      for (let i = 0; i + 1 < symbols.length; i++) {
        if (symbols[i] === left && symbols[i + 1] === right) symbols.splice(i, 2, left + right);
      }
    }
  }
  return learned;
}

const mergesOf = (text: string): string[] => text.trim().split('\n').slice(1);

describe('training a vocabulary', () => {
  test('the first merges are the ones that counting by hand gives', () => {
    const { files, vocabularySize } = trainBytePairVocabulary(['low low low lower', 'newest wider'], {
      size: 516,
      contextLength: 8,
    });
    // l-o stands 4 times, then lo-w</w> 3 times, everything else twice at most.
    expect(mergesOf(files['merges.txt'])).toEqual(['l o', 'lo w</w>']);
    expect(vocabularySize).toBe(516);
  });

  test('agrees with counting everything anew for each merge', () => {
    let followed = 0;
    fc.assert(
      fc.property(
        fc.array(fc.string({ unit: fc.constantFrom('a', 'b', 'c', ' '), minLength: 10, maxLength: 40 }), {
          minLength: 3,
          maxLength: 20,
        }),
        (sentences) => {
          const slow = trainSlowly(sentences, 30);
          const { files } = trainBytePairVocabulary(sentences, { size: 544, contextLength: 8 });
          expect(mergesOf(files['merges.txt'])).toEqual(slow);
          followed += slow.length;
        },
      ),
      { numRuns: 400 },
    );
    expect(followed).toBeGreaterThan(1000);
  });

  test('Hugging Face’s library and eidos read the files and give the same ids', async () => {
    const { files, tokenizer, vocabularySize } = trainBytePairVocabulary(sampleSentences(400), {
      size: 680,
      contextLength: 16,
    });
    expect(vocabularySize).toBe(680);
    expect(tokenizer.startToken).toBe(678);
    expect(tokenizer.endToken).toBe(679);
    const library = new LibraryTokenizer(
      JSON.parse(files['tokenizer.json']),
      JSON.parse(files['tokenizer_config.json']),
    );
    const fromJson = await readTokenizerFiles(files, { vocabularySize: 680 });
    const fromMerges = await readTokenizerFiles({ ...files, 'tokenizer.json': undefined });
    const odd = [
      '',
      '<|endoftext|> a <|startoftext|>',
      'É ẞ 日本 \u0000 don’t',
      'ΣΟΦΟΙ',
      'İstanbul',
      'x'.repeat(400),
    ];
    for (const sentence of [...sampleSentences(1500, 7), ...odd]) {
      const ids = tokenizer.encode(sentence);
      expect([678, ...ids, 679], sentence).toEqual(library.encode(sentence).ids);
      expect(fromJson.encode(sentence)).toEqual(ids);
      expect(fromMerges.encode(sentence)).toEqual(ids);
    }
    for (const one of [fromJson, fromMerges]) {
      expect(one.contextLength).toBe(16);
      expect(one.padToken).toBe(679);
      expect(one.vocabularySize).toBe(680);
    }
  });

  test('ends early where no pair stands twice, and learns nothing from nothing', () => {
    expect(trainBytePairVocabulary(['abc'], { size: 1000, contextLength: 8 }).vocabularySize).toBe(514);
    const { tokenizer } = trainBytePairVocabulary([], { size: 600, contextLength: 8 });
    expect(tokenizer.decode(tokenizer.encode('Köln 12'))).toBe('köln 1 2');
  });

  test('the same sentences give the same files', () => {
    const train = () => trainBytePairVocabulary(sampleSentences(200), { size: 700, contextLength: 16 }).files;
    expect(train()).toEqual(train());
  });

  test('words that come least are forgotten where there are too many, and the frequent ones are not', () => {
    const words = createWordCounts(1000);
    const name = (i: number): string =>
      String.fromCharCode(...[...`${i}`].map((digit) => 97 + Number(digit)));
    let most = 0;
    for (let i = 0; i < 3000; i++) {
      words.add(`frequent ${name(i)} often`);
      most = Math.max(most, [...words.counts.keys()].join('').length);
    }
    expect(words.counts.get('frequent')).toBe(3000);
    expect(words.counts.get('often')).toBe(3000);
    expect(most).toBeLessThanOrEqual(1000);
    expect(most).toBeGreaterThan(500);
    expect(words.counts.has(name(2999))).toBe(true);
    expect(words.counts.has(name(1))).toBe(false);
  });

  test('a long word that is no sound text is one word however often it comes', () => {
    const words = createWordCounts();
    const word = `${'x'.repeat(20)}\ud800${'y'.repeat(20)}`;
    for (let time = 0; time < 3; time++) words.add(`${'x'.repeat(20)} ${word}`);
    expect(Math.max(...words.counts.values())).toBe(6);
    expect(words.counts.get('y'.repeat(20))).toBe(3);
  });

  test('sizes out of range are refused', () => {
    for (const size of [513, 100_001, 600.5, Number.NaN]) {
      expect(() => trainBytePairVocabulary([], { size, contextLength: 8 })).toThrow(/size is/);
    }
    expect(() => trainBytePairVocabulary(['a', 1 as never], { size: 600, contextLength: 8 })).toThrow(
      /Sentence 1 is/,
    );
    expect(() => trainBytePairVocabulary([], { size: 600, contextLength: 2 })).toThrow(/contextLength is 2/);
  });
});
