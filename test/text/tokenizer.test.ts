import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { readTokenizerFiles } from '../../src/text/hugging-face.ts';
import { addMerge, createMergeTable, mergeSymbols } from '../../src/text/merges.ts';
import { huggingFaceRules, normalizeText } from '../../src/text/rules.ts';
import { requireVocabularySize, type Tokenizer } from '../../src/text/tokenizer.ts';
import { type TrainedVocabulary, trainBytePairVocabulary } from '../../src/text/train-vocabulary.ts';
import { sampleSentences } from './sample-sentences.ts';

/** Any string at all, lone surrogates included. */
const anyString = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.string({ unit: 'grapheme' }),
  fc.array(fc.integer({ min: 0, max: 0xffff })).map((units) => String.fromCharCode(...units)),
  fc.constantFrom(...sampleSentences(20)),
);

const trained: TrainedVocabulary = trainBytePairVocabulary(sampleSentences(300), {
  size: 660,
  contextLength: 12,
});
const tokenizer: Tokenizer = trained.tokenizer;

describe('rows', () => {
  test('start, ids, end, padding', () => {
    const rows = tokenizer.tokenize(['a dog', '']);
    const ids = tokenizer.encode('a dog').map(BigInt);
    const [start, end] = [BigInt(tokenizer.startToken!), BigInt(tokenizer.endToken)];
    expect(rows.shape).toEqual([2, 12]);
    expect(rows.owner).toEqual([0, 1]);
    const padded = (row: bigint[]): bigint[] => [...row, ...new Array(12 - row.length).fill(end)];
    expect([...rows.data]).toEqual([...padded([start, ...ids, end]), ...padded([start, end])]);
    expect(tokenizer.tokenize([]).shape).toEqual([0, 12]);
  });

  test('a text that is too long is cut with one warning a call', () => {
    const warnings: string[] = [];
    const long = 'Zwei Männer sitzen auf das grüne Fahrrad im Regen, und noch mehr Wörter folgen.';
    const rows = tokenizer.tokenize(['a dog', long, `${long} ${long}`], {
      onWarning: (message) => warnings.push(message),
    });
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toMatch(/^2 of 3 texts were cut to the 10 tokens.*"Zwei Männer.*…"/);
    const row = Array.from(rows.data.slice(12, 24), Number);
    expect(row).toEqual([tokenizer.startToken, ...tokenizer.encode(long).slice(0, 10), tokenizer.endToken]);
    expect(() => tokenizer.tokenize([long])).not.toThrow();
  });

  test('or refused by name', () => {
    const length = tokenizer.encode('word '.repeat(30)).length;
    expect(() => tokenizer.tokenize(['a dog', 'word '.repeat(30)], { overflow: 'error' })).toThrow(
      expect.objectContaining({
        code: 'text_too_long',
        message: expect.stringMatching(
          new RegExp(`"word word.*…" has ${length} tokens.*reads 10 \\(12 with`),
        ),
      }),
    );
  });

  test('or split between words into rows that hold all of it', { timeout: 60_000 }, () => {
    fc.assert(
      fc.property(fc.array(anyString, { maxLength: 4 }), fc.integer({ min: 1, max: 40 }), (parts, repeat) => {
        const text = `${parts.join(' ')} a brown dog läuft über the café `.repeat(repeat);
        const { data, shape, owner } = tokenizer.tokenize(['a', text], { overflow: 'split' });
        expect(shape).toEqual([owner.length, 12]);
        expect(owner[0]).toBe(0);
        const pieces: number[] = [];
        for (const [row, index] of owner.entries()) {
          const ids = Array.from(data.slice(row * 12, row * 12 + 12), Number);
          const end = ids.indexOf(tokenizer.endToken, 1);
          expect(ids[0]).toBe(tokenizer.startToken);
          expect(end).toBeGreaterThan(0);
          if (index === 1) pieces.push(...ids.slice(1, end));
        }
        if (!text.includes('<|')) expect(pieces).toEqual(tokenizer.encode(text));
      }),
      { numRuns: 300 },
    );
    const words = tokenizer.tokenize(['dog '.repeat(21)], { overflow: 'split' });
    const room = tokenizer.encode('dog').length;
    for (let row = 0; row < words.owner.length; row++) {
      const ids = Array.from(words.data.slice(row * 12, row * 12 + 12), Number);
      expect((ids.indexOf(tokenizer.endToken, 1) - 1) % room).toBe(0);
    }
  });

  test('wrong arguments are named', () => {
    expect(() => tokenizer.tokenize(['a', 3 as unknown as string])).toThrow(/Text 1 is number/);
    expect(() => tokenizer.tokenize(['a'], { overflow: 'cut' as 'split' })).toThrow(/overflow is "cut"/);
  });

  test('a vocabulary of another size than the model’s', () => {
    expect(() => requireVocabularySize(tokenizer, 659, 'x.json')).toThrow(/x\.json has 660 tokens.*659/);
    expect(() => requireVocabularySize(tokenizer, 49408, 'x.json')).toThrow(
      expect.objectContaining({ code: 'config_mismatch' }),
    );
    requireVocabularySize(tokenizer, 704, 'x.json');
    requireVocabularySize(tokenizer, undefined, 'x.json');
  });
});

describe('laws of byte-level tokens', () => {
  let gpt2: Tokenizer;
  beforeAll(async () => {
    // GPT-2's kind: no mark at the end of words, spaces belong to the word after them.
    const whole = JSON.parse(trained.files['tokenizer.json']);
    const vocab: Record<string, number> = {};
    const add = (token: string): void => {
      vocab[token] ??= Object.keys(vocab).length;
    };
    for (const token of Object.keys(whole.model.vocab))
      if (!token.endsWith('</w>') && token.length < 4) add(token);
    const merges = (whole.model.merges as string[]).filter((merge) => {
      const [left, right] = merge.split(' ') as [string, string];
      return left in vocab && right in vocab && left + right in vocab;
    });
    add('Ġa');
    merges.push('Ġ a');
    add('<|endoftext|>');
    gpt2 = await readTokenizerFiles({
      'tokenizer.json': JSON.stringify({
        added_tokens: [],
        normalizer: null,
        pre_tokenizer: { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true },
        post_processor: null,
        decoder: { type: 'ByteLevel' },
        model: { type: 'BPE', vocab, merges },
      }),
    });
  });

  test('decoding gives back every text that stands in the bytes', () => {
    expect(gpt2.encode(' a an').length).toBeLessThan(5);
    fc.assert(
      fc.property(anyString, (text) => {
        const wellFormed = text.replace(/\p{Surrogate}/gu, '\uFFFD');
        expect(gpt2.decode(gpt2.encode(text), { skipSpecial: false })).toBe(wellFormed);
      }),
      { numRuns: 3000 },
    );
  });

  test('CLIP’s tokens give back the normalised text but for its spaces', () => {
    const bare = (text: string): string => text.replace(/\p{White_Space}+/gu, '');
    fc.assert(
      fc.property(anyString, (text) => {
        fc.pre(!text.includes('<|'));
        const decoded = tokenizer.decode(tokenizer.encode(text));
        expect(bare(decoded)).toBe(bare(normalizeText(text, huggingFaceRules)));
        expect(tokenizer.encode(decoded)).toEqual(tokenizer.encode(text));
      }),
      { numRuns: 3000 },
    );
  });

  test('every id is in the vocabulary, and encoding depends on nothing seen before', () => {
    const fresh = trainBytePairVocabulary(sampleSentences(300), { size: 660, contextLength: 12 }).tokenizer;
    fc.assert(
      fc.property(anyString, (text) => {
        const ids = tokenizer.encode(text);
        expect(ids.every((id) => Number.isInteger(id) && id >= 0 && id < 660)).toBe(true);
        expect(fresh.encode(text)).toEqual(ids);
      }),
      { numRuns: 1000 },
    );
  });

  test('unknown ids are left out when decoding', () => {
    expect(tokenizer.decode([-1, 1e9, 0.5, Number.NaN, ...tokenizer.encode('dog')])).toBe('dog');
    expect(tokenizer.decode([5n, 9_999_999_999n])).toBe(tokenizer.decode([5]));
  });

  test('100,000 characters without a space take a moment', { timeout: 60_000 }, () => {
    for (const text of ['a', 'ab', 'läuft', 'e\u0301', '😀', '日', '&amp;', ' ', '\x1c', 'ÿ!'].map((unit) =>
      unit.repeat(100_000 / unit.length),
    )) {
      const start = performance.now();
      const ids = tokenizer.encode(text);
      gpt2.encode(text);
      expect(performance.now() - start).toBeLessThan(5000);
      expect(bareLength(tokenizer.decode(ids))).toBe(bareLength(normalizeText(text, huggingFaceRules)));
    }
    function bareLength(text: string): number {
      return text.replace(/\s+/gu, '').length;
    }
  });
});

describe('merging', () => {
  test('short and long words agree with looking for the best pair again and again', () => {
    const table = createMergeTable(40);
    const ranks = new Map<string, [rank: number, result: number]>();
    let state = 5;
    const next = (below: number): number => {
      state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff;
      return (state >> 8) % below;
    };
    for (let rank = 0; rank < 40; rank++) {
      const [left, right, result] = [next(4 + rank), next(4 + rank), 4 + rank];
      if (ranks.has(`${left} ${right}`)) continue;
      ranks.set(`${left} ${right}`, [rank, result]);
      addMerge(table, left, right, rank, result);
    }
    const slowly = (symbols: readonly number[]): number[] => {
      const word = [...symbols];
      for (;;) {
        let best = [Number.POSITIVE_INFINITY, 0, 0] as [number, number, number];
        for (let i = 0; i + 1 < word.length; i++) {
          const found = ranks.get(`${word[i]} ${word[i + 1]}`);
          if (found !== undefined && found[0] < best[0]) best = [found[0], found[1], i];
        }
        if (best[0] === Number.POSITIVE_INFINITY) return word;
        word.splice(best[2], 2, best[1]);
      }
    };
    fc.assert(
      fc.property(fc.array(fc.integer({ min: -1, max: 3 }), { maxLength: 200, size: 'max' }), (symbols) => {
        expect(mergeSymbols(symbols, table)).toEqual(slowly(symbols));
      }),
      { numRuns: 2000 },
    );
  });
});
