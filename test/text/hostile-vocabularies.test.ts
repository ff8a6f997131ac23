import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { EidosError } from '../../src/errors.ts';
import { readTokenizerFiles, type TokenizerFiles } from '../../src/text/hugging-face.ts';
import { readOpenAiVocabulary } from '../../src/text/openai-vocabulary.ts';
import { trainBytePairVocabulary } from '../../src/text/train-vocabulary.ts';
import { sampleSentences } from './sample-sentences.ts';
import { unigramConfig, unigramTokenizer } from './small-unigram.ts';

const { files } = trainBytePairVocabulary(sampleSentences(60), { size: 540, contextLength: 16 });
const bytePair = () => JSON.parse(files['tokenizer.json']);

const refusal = async (given: TokenizerFiles): Promise<EidosError> => {
  const error: unknown = await readTokenizerFiles(given).catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(EidosError);
  return error as EidosError;
};

/** Expects the changed file to be refused with a message that names the file and the entry. */
async function refused(change: (content: ReturnType<typeof bytePair>) => void, entry: RegExp): Promise<void> {
  const content = bytePair();
  change(content);
  const error = await refusal({ 'tokenizer.json': JSON.stringify(content) });
  expect(error.code).toBe('invalid_tokenizer');
  expect(error.message).toMatch(/^tokenizer\.json/);
  expect(error.message).toMatch(entry);
}

describe('malformed vocabularies are refused by file and entry', () => {
  test('what is no JSON object', async () => {
    for (const text of [
      '',
      '{',
      '[]',
      'null',
      '3',
      '"x"',
      '\u0000',
      'version https://git-lfs.github.com/spec/v1\n',
    ]) {
      for (const given of [
        { 'tokenizer.json': text },
        { 'vocab.json': text, 'merges.txt': 'a b' },
        { ...files, 'tokenizer_config.json': text },
        { ...files, 'special_tokens_map.json': text },
      ] as TokenizerFiles[]) {
        const error = await refusal(given);
        expect(error.code).toBe('invalid_tokenizer');
        expect(error.message).toMatch(/^(tokenizer|vocab|tokenizer_config|special_tokens_map)\.json: /);
      }
    }
    expect((await refusal({ 'vocab.json': '{}' })).message).toMatch(/neither was given/);
  });

  test('wrong types and ids', async () => {
    await refused((content) => (content.model = 3), /model is 3/);
    await refused((content) => (content.model.vocab = ['a']), /model\.vocab is a list/);
    await refused((content) => (content.model.vocab = {}), /model\.vocab is empty/);
    for (const id of [-1, 1.5, '7', null, 2 ** 40, [], {}]) {
      await refused((content) => (content.model.vocab['!'] = id), /model\.vocab\["!"\]/);
    }
    await refused((content) => (content.model.vocab['!'] = 5), /the id 5 to "!" and to "&"/);
    await refused(
      (content) => (content.added_tokens[0].id = 5),
      /added_tokens\[0\] gives "<\|startoftext\|>" the id 5/,
    );
    await refused((content) => content.added_tokens.push({ content: 'x!', id: 538 }), /added_tokens\[2\]/);
    await refused((content) => (content.added_tokens[1] = 'x'), /added_tokens\[1\] is "x"/);
    await refused((content) => (content.added_tokens = {}), /added_tokens is an object/);
    await refused((content) => (content.post_processor.sep = ['</s>', 2]), /post_processor\.sep is "<\/s>"/);
    await refused((content) => (content.post_processor.cls[1] = 2), /post_processor\.cls says 2/);
    const config = (content: object) => ({ ...files, 'tokenizer_config.json': JSON.stringify(content) });
    expect((await refusal(config({ pad_token: 'nothing' }))).message).toMatch(
      /^tokenizer_config\.json: pad_token/,
    );
    expect((await refusal(config({ pad_token: 4 }))).message).toMatch(
      /^tokenizer_config\.json: pad_token is 4/,
    );
  });

  test('merges', async () => {
    for (const merge of ['ab', 'a b c', 7, ['a'], ['a', 1], ['a', 'b', 'c'], null, {}]) {
      await refused((content) => (content.model.merges[3] = merge), /model\.merges\[3\]/);
    }
    await refused((content) => (content.model.merges = 'a b'), /merges is "a b"/);
    await refused((content) => (content.model.merges[3] = 'q qq'), /merge 3, "q qq", needs the token "qq"/);
    await refused((content) => (content.model.merges[3] = 'q q'), /needs the token "qq"/);
    const error = await refusal({ 'vocab.json': files['vocab.json'], 'merges.txt': '#version: 0.2\nq qq\n' });
    expect(error.message).toMatch(/^merges\.txt: merge 0, "q qq"/);
  });

  test('Unigram', async () => {
    const change = async (alter: (content: ReturnType<typeof unigramTokenizer>) => void): Promise<string> => {
      const content = unigramTokenizer();
      alter(content);
      const error = await refusal({ 'tokenizer.json': JSON.stringify(content) });
      expect(error.code).toBe('invalid_tokenizer');
      return error.message;
    };
    expect(await change((content) => (content.model.vocab[4] = 'a' as never))).toMatch(/model\.vocab\[4\]/);
    expect(await change((content) => (content.model.vocab[4] = ['a', '1' as never]))).toMatch(
      /model\.vocab\[4\]/,
    );
    expect(await change((content) => (content.model.vocab[5] = ['b', 1]))).toMatch(
      /vocab\[6\], "b", stands twice/,
    );
    expect(await change((content) => (content.model.unk_id = 99))).toMatch(/unk_id is 99/);
    expect(await change((content) => (content.model.type = 'Magic'))).toMatch(/model\.vocab|cannot be used/);
    expect(await change((content) => (content.pre_tokenizer.type = 'Magic'))).toMatch(/cannot be used/);
  });

  test('patterns that could take forever', async () => {
    for (const Regex of ['(a+)+$', '(?:a|a)*b', '([a-z)]+){9}', 'x'.repeat(20_000)]) {
      const content = unigramTokenizer();
      content.normalizer.normalizers.push({ type: 'Replace', pattern: { Regex }, content: '' } as never);
      expect((await refusal({ 'tokenizer.json': JSON.stringify(content) })).message).toMatch(
        /unbounded time/,
      );
    }
    const content = unigramTokenizer();
    content.normalizer.normalizers.push({
      type: 'Replace',
      pattern: { Regex: '[!"()*+]|(?i:x|y)|\\(+' },
      content: '',
    } as never);
    await readTokenizerFiles({ 'tokenizer.json': JSON.stringify(content) });
  });

  test('a pattern that is none, of which the library would only print a warning', async () => {
    for (const pattern of [{}, null, 3, 'a', { Regex: 3 }]) {
      const content = unigramTokenizer();
      content.normalizer.normalizers.push({ type: 'Replace', pattern, content: '' } as never);
      expect((await refusal({ 'tokenizer.json': JSON.stringify(content) })).message).toMatch(/pattern is/);
    }
  });

  test('deep nesting neither crashes nor hangs', async () => {
    const deep = (open: string, close: string, count: number): string =>
      open.repeat(count) + close.repeat(count);
    for (const text of [deep('[', ']', 100_000), deep('{"a":', '}', 100_000), '['.repeat(1_000_000)]) {
      expect((await refusal({ 'tokenizer.json': text })).code).toBe('invalid_tokenizer');
    }
    const nested = `${'{"type":"Sequence","normalizers":['.repeat(20_000)}{"type":"NFC"}${']}'.repeat(20_000)}`;
    const text = JSON.stringify({ ...bytePair(), normalizer: 'HERE' }).replace('"HERE"', nested);
    expect((await refusal({ 'tokenizer.json': text })).code).toBe('invalid_tokenizer');
  });
});

describe('mutated vocabularies', { timeout: 60_000 }, () => {
  const texts = ['', 'A dog läuft', '<|endoftext|> x', "don't 12 日本 \ud800", 'a '.repeat(50)];
  let accepted = 0;
  let refusals = 0;

  /** Either an error with a code, or a tokenizer that takes every text. */
  async function readOrRefuse(given: TokenizerFiles): Promise<void> {
    try {
      const tokenizer = await readTokenizerFiles(given);
      accepted++;
      const rows = tokenizer.tokenize(texts);
      expect(rows.data.length).toBe(texts.length * tokenizer.contextLength);
      for (const id of rows.data) {
        if (id < 0n || id >= BigInt(tokenizer.vocabularySize))
          throw new Error(`id ${id} is not in the vocabulary`);
      }
      tokenizer.decode(rows.data);
    } catch (error) {
      if (!(error instanceof EidosError)) throw error;
      expect(error.code).toBe('invalid_tokenizer');
      refusals++;
    }
  }

  const value = fc.oneof(
    fc.constantFrom<unknown>(
      null,
      true,
      -1,
      0,
      1,
      2,
      539,
      540,
      1e9,
      0.5,
      '',
      'a',
      '</w>',
      '<|endoftext|>',
      '__proto__',
    ),
    fc.constantFrom<unknown>([], {}, [[]], ['a', 'b'], { type: 'Sequence' }, { type: 'NFC' }, { Regex: '[' }),
    fc.constantFrom<unknown>(
      'BPE',
      'Unigram',
      'WordPiece',
      'ByteLevel',
      'TemplateProcessing',
      'Isolated',
      'Split',
    ),
  );

  /** Replaces, removes or doubles a part of a JSON value, chosen by a path of random steps. */
  function mutate(root: unknown, steps: readonly number[], kind: number, replacement: unknown): unknown {
    let parent: Record<string, unknown> | undefined;
    let key = '';
    let node = root;
    for (const step of steps) {
      if (typeof node !== 'object' || node === null) break;
      const keys = Object.keys(node);
      if (keys.length === 0) break;
      parent = node as Record<string, unknown>;
      key = keys[step % keys.length]!;
      node = parent[key];
    }
    if (parent === undefined) return replacement;
    if (kind === 0) parent[key] = replacement;
    else if (kind === 1 && Array.isArray(parent)) parent.splice(Number(key), 1);
    else if (kind === 1) delete parent[key];
    else if (Array.isArray(parent)) parent.push(structuredClone(node));
    else parent[`${key}x`] = structuredClone(node);
    return root;
  }

  const mutation = fc.record({
    steps: fc.array(fc.nat(1000), { minLength: 1, maxLength: 6 }),
    kind: fc.nat(2),
    replacement: value,
  });

  test.each([
    ['tokenizer.json', 1500, () => ({ ...files })],
    ['tokenizer_config.json', 500, () => ({ ...files })],
    ['special_tokens_map.json', 300, () => ({ ...files, 'tokenizer_config.json': undefined })],
    ['vocab.json', 300, () => ({ ...files, 'tokenizer.json': undefined })],
    [
      'tokenizer.json',
      2000,
      () => ({
        'tokenizer.json': JSON.stringify(unigramTokenizer()),
        'tokenizer_config.json': JSON.stringify(unigramConfig),
      }),
    ],
  ] as [keyof TokenizerFiles, number, () => TokenizerFiles][])(
    '%s, %i times',
    async (name, numRuns, make) => {
      await fc.assert(
        fc.asyncProperty(fc.array(mutation, { minLength: 1, maxLength: 3 }), async (mutations) => {
          const given = make();
          let content: unknown = JSON.parse(given[name] as string);
          for (const one of mutations) {
            content = mutate(content, one.steps, one.kind, structuredClone(one.replacement));
          }
          await readOrRefuse({ ...given, [name]: JSON.stringify(content) });
        }),
        { numRuns },
      );
    },
  );

  test('bytes', async () => {
    const names = ['tokenizer.json', 'merges.txt', 'vocab.json'] as const;
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...names),
        fc.nat(),
        fc.nat(3),
        fc.string({ maxLength: 3 }),
        async (name, place, length, text) => {
          const content = files[name];
          const at = place % content.length;
          const changed = content.slice(0, at) + text + content.slice(at + length);
          await readOrRefuse({
            ...files,
            ...(name === 'tokenizer.json' ? {} : { 'tokenizer.json': undefined }),
            [name]: changed,
          });
        },
      ),
      { numRuns: 1000 },
    );
  });

  test('both ways happened', () => {
    expect(accepted).toBeGreaterThan(300);
    expect(refusals).toBeGreaterThan(300);
  });

  test('lists of merges', () => {
    fc.assert(
      fc.property(
        fc.array(fc.oneof(fc.string(), fc.constantFrom('a b', 'ab c', '#version: 0.2', 'x y z'))),
        (lines) => {
          expect(() => readOpenAiVocabulary(lines.join('\n'))).toThrow(
            expect.objectContaining({
              code: 'invalid_tokenizer',
              message: expect.stringMatching(/^bpe_simple/),
            }),
          );
        },
      ),
      { numRuns: 500 },
    );
  });
});
