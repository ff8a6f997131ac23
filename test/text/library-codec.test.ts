import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { readTokenizerFiles } from '../../src/text/hugging-face.ts';
import { plainRules } from '../../src/text/rules.ts';
import type { Tokenizer } from '../../src/text/tokenizer.ts';
import { trainBytePairVocabulary } from '../../src/text/train-vocabulary.ts';
import { sampleSentences } from './sample-sentences.ts';
import { unigramConfig, unigramPieces, unigramTokenizer } from './small-unigram.ts';

const files = () => ({
  'tokenizer.json': JSON.stringify(unigramTokenizer()),
  'tokenizer_config.json': JSON.stringify(unigramConfig),
});

/** The best of all ways to cut a word into pieces, by trying all of them; undefined where two are equally good. */
function bestSegmentation(word: string): number[] | undefined {
  let best = { score: Number.NEGATIVE_INFINITY, ids: [] as number[] };
  let tie = false;
  const walk = (rest: string, score: number, ids: number[]): void => {
    if (rest === '') {
      if (Math.abs(score - best.score) < 1e-9) tie = true;
      else if (score > best.score) {
        best = { score, ids };
        tie = false;
      }
      return;
    }
    for (const [id, [piece, value]] of unigramPieces.entries()) {
      if (id > 2 && rest.startsWith(piece)) walk(rest.slice(piece.length), score + value, [...ids, id]);
    }
  };
  walk(word, 0, []);
  return tie ? undefined : best.ids;
}

describe('SentencePiece vocabularies as SigLIP has them', () => {
  let tokenizer: Tokenizer;
  beforeAll(async () => {
    tokenizer = await readTokenizerFiles(files());
  });

  test('no start token, the end token 1, padded with 1 to the context', () => {
    expect(tokenizer.startToken).toBeUndefined();
    expect(tokenizer.endToken).toBe(1);
    expect(tokenizer.padToken).toBe(1);
    expect(tokenizer.contextLength).toBe(8);
    expect(tokenizer.vocabularySize).toBe(unigramPieces.length);
    const rows = tokenizer.tokenize(['a cat', '', 'a a a a a a a a a a']);
    expect(Array.from(rows.data, Number)).toEqual(
      [
        [4, 12, 1, 1, 1, 1, 1, 1],
        [1, 1, 1, 1, 1, 1, 1, 1],
        [4, 4, 4, 4, 4, 4, 4, 1],
      ].flat(),
    );
    expect(tokenizer.tokenize(['a a a a a a a a a a'], { overflow: 'split' }).owner).toEqual([0, 0]);
  });

  test('lower case and no punctuation, where the configuration says so', async () => {
    expect(tokenizer.encode(' A,  "C-at"! ')).toEqual(tokenizer.encode('a cat'));
    expect(tokenizer.decode([4, 12, 1, 1])).toBe('a cat');
    const plain = await readTokenizerFiles({ 'tokenizer.json': files()['tokenizer.json'] });
    expect(plain.encode('a CAT')).not.toEqual(plain.encode('a cat'));
    const overridden = await readTokenizerFiles(files(), { rules: plainRules });
    expect(overridden.encode('A')).not.toEqual(tokenizer.encode('A'));
  });

  test('the library finds the best of all segmentations', () => {
    let compared = 0;
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom('a', 'b', 'c', 't'), minLength: 1, maxLength: 9 }),
        (word) => {
          const best = bestSegmentation(`▁${word}`);
          if (best === undefined) return;
          compared++;
          expect(tokenizer.encode(word), word).toEqual(best);
        },
      ),
      { numRuns: 1000 },
    );
    expect(compared).toBeGreaterThan(500);
  });

  test('every string is taken, long ones too', { timeout: 60_000 }, () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 0xffff })), (units) => {
        const ids = tokenizer.encode(String.fromCharCode(...units));
        expect(ids.every((id) => Number.isInteger(id) && id >= 0 && id < unigramPieces.length)).toBe(true);
        expect(typeof tokenizer.decode(ids)).toBe('string');
      }),
      { numRuns: 500 },
    );
    expect(tokenizer.encode('a'.repeat(200_000)).length).toBeGreaterThan(100_000);
    expect(tokenizer.encode('a b '.repeat(50_000)).length).toBe(100_000);
    expect(tokenizer.encode('😀'.repeat(60_000)).length).toBeGreaterThan(0);
  });

  test('nothing to decode is an empty text', () => {
    expect(tokenizer.decode([])).toBe('');
    expect(tokenizer.decode([1, 1])).toBe('');
    expect(tokenizer.decode([77_777, -3])).toBe('');
  });
});

test('the library and eidos’s own byte pairs agree on a vocabulary that both can read', async () => {
  const { files: own, tokenizer } = trainBytePairVocabulary(sampleSentences(300), {
    size: 650,
    contextLength: 16,
  });
  const content = JSON.parse(own['tokenizer.json']);
  // A step that eidos's own byte pairs do not have sends the file to the library.
  content.normalizer.normalizers.unshift({ type: 'NFKC' });
  const library = await readTokenizerFiles({ ...own, 'tokenizer.json': JSON.stringify(content) });
  for (const sentence of sampleSentences(300, 3)) {
    expect(library.encode(sentence)).toEqual(tokenizer.encode(sentence));
    expect(library.decode(library.encode(sentence))).toBe(tokenizer.decode(tokenizer.encode(sentence)));
  }
  expect(library.encode('ﬁne')).toEqual(tokenizer.encode('fine'));
});
