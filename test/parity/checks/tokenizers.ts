/** The tokenizers: ids, decoded texts, padding and truncation, case for case. */
import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { readTokenizerFiles } from '../../../src/text/hugging-face.ts';
import { readOpenAiVocabulary } from '../../../src/text/openai-vocabulary.ts';
import { huggingFaceRules } from '../../../src/text/rules.ts';
import { once, type ParityCheck } from '../check.ts';
import { fixture, readFixtureJson } from '../fixture-files.ts';

interface RepairCase {
  text: string;
  ids: number[];
  ids_without_ftfy: number[];
  ftfy_changes_ids: boolean;
  hf_slow_with_ftfy: number[];
  hf_fast: number[];
}

interface VariantCase {
  text: string;
  slow_with_ftfy: number[];
  fast: number[];
}

const vocabulary = 'tokenizer/bpe_simple_vocab_16e6.txt.gz';
const merges = once(async () => gunzipSync(readFileSync(fixture(vocabulary))).toString('utf8'));
const openAi = once(async () => readOpenAiVocabulary(await merges()));

const text = (path: string): string => readFileSync(fixture(path), 'utf8');
const variantConfig = () => ({
  'tokenizer_config.json': text('tokenizer-hf/tokenizer_config.json'),
  'special_tokens_map.json': text('tokenizer-hf/special_tokens_map.json'),
});
const variant = once(async () =>
  readTokenizerFiles({ 'tokenizer.json': text('tokenizer-hf/tokenizer.json'), ...variantConfig() }),
);
const variantFromMerges = once(async () =>
  readTokenizerFiles({
    'vocab.json': text('tokenizer-hf/vocab.json'),
    'merges.txt': text('tokenizer-hf/merges.txt'),
    ...variantConfig(),
  }),
);

const sigmaReason =
  'eidos follows the Rust library, which makes a capital sigma at the end of a word σ; the reference here is its JavaScript, which makes it ς';

const slowReason =
  'eidos follows the fast tokenizer, which most published uses of Hugging Face’s checkpoints run; the slow one repairs text and cleans it first';

/** How many cases are not equal, number for number or letter for letter. */
function unequal<T>(cases: readonly T[], actual: (one: T) => unknown, expected: (one: T) => unknown): number {
  return cases.filter((one) => JSON.stringify(actual(one)) !== JSON.stringify(expected(one))).length;
}

function claim(
  folder: string,
  what: string,
  needs: readonly string[],
  difference: () => Promise<number>,
  unmet?: string,
): ParityCheck {
  const check: ParityCheck = { folder, what, tolerance: 0, unit: 'cases', needs, difference };
  return unmet === undefined ? check : { ...check, unmet };
}

const plain = ['tokenizer/cases.json', vocabulary];
const repair = ['tokenizer-ftfy/cases.json', vocabulary];
const repairCases = () => readFixtureJson<RepairCase[]>('tokenizer-ftfy/cases.json');
const variantCases = () => readFixtureJson<VariantCase[]>('tokenizer-hf/cases.json');

export const tokenizerChecks: readonly ParityCheck[] = [
  claim('tokenizer', 'ids of 215 texts', plain, async () => {
    const tokenizer = await openAi();
    const cases = readFixtureJson<{ text: string; ids: number[] }[]>('tokenizer/cases.json');
    return unequal(
      cases,
      (one) => tokenizer.encode(one.text),
      (one) => one.ids,
    );
  }),
  claim('tokenizer', 'decoded texts, but for the space after the last word', plain, async () => {
    const tokenizer = await openAi();
    const cases = readFixtureJson<{ ids: number[]; decoded: string }[]>('tokenizer/cases.json');
    const decode = (one: { ids: number[] }) => tokenizer.decode(one.ids, { skipSpecial: false });
    return unequal(cases, decode, (one) => one.decoded.replace(/ $/, ''));
  }),
  claim('tokenizer-ftfy', 'ids of 295 texts, without text repair', repair, async () => {
    const tokenizer = await openAi();
    return unequal(
      repairCases(),
      (one) => tokenizer.encode(one.text),
      (one) => one.ids_without_ftfy,
    );
  }),
  claim(
    'tokenizer-ftfy',
    'ids of 295 texts, with text repair',
    repair,
    async () => {
      const tokenizer = await openAi();
      return unequal(
        repairCases(),
        (one) => tokenizer.encode(one.text),
        (one) => one.ids,
      );
    },
    'eidos does not repair broken text: these are the texts whose ids ftfy changes, and all others are equal',
  ),
  claim('tokenizer-ftfy', 'ids of the texts that repair leaves alone', repair, async () => {
    const tokenizer = await openAi();
    const untouched = repairCases().filter((one) => !one.ftfy_changes_ids);
    return unequal(
      untouched,
      (one) => tokenizer.encode(one.text),
      (one) => one.ids,
    );
  }),
  claim(
    'tokenizer-ftfy',
    'ids of 295 texts by Hugging Face’s fast tokenizer',
    repair,
    async () => {
      const tokenizer = readOpenAiVocabulary(await merges(), { rules: huggingFaceRules });
      const { startToken, endToken } = tokenizer;
      const encode = (one: RepairCase) => [startToken, ...tokenizer.encode(one.text), endToken];
      return unequal(repairCases(), encode, (one) => one.hf_fast);
    },
    sigmaReason,
  ),
  claim(
    'tokenizer-ftfy',
    'ids of 295 texts by Hugging Face’s slow tokenizer',
    repair,
    async () => {
      const tokenizer = readOpenAiVocabulary(await merges(), { rules: huggingFaceRules });
      const { startToken, endToken } = tokenizer;
      const encode = (one: RepairCase) => [startToken, ...tokenizer.encode(one.text), endToken];
      return unequal(repairCases(), encode, (one) => one.hf_slow_with_ftfy);
    },
    slowReason,
  ),
  claim(
    'tokenizer-ftfy',
    'long texts cut to 77 and to 16 tokens',
    ['tokenizer-ftfy/truncation.json', vocabulary],
    async () => {
      const { rows } = readFixtureJson<{
        rows: { text: string; tokens_77: number[]; tokens_16: number[] }[];
      }>('tokenizer-ftfy/truncation.json');
      const short = readOpenAiVocabulary(await merges(), { contextLength: 16 });
      const long = await openAi();
      const quietly = { onWarning: () => undefined };
      return (
        unequal(
          rows,
          (row) => Array.from(long.tokenize([row.text], quietly).data, Number),
          (row) => row.tokens_77,
        ) +
        unequal(
          rows,
          (row) => Array.from(short.tokenize([row.text], quietly).data, Number),
          (row) => row.tokens_16,
        )
      );
    },
  ),
  ...[
    { file: 'tokenizer.json', tokenizer: variant },
    { file: 'vocab.json with merges.txt', tokenizer: variantFromMerges },
  ].map(({ file, tokenizer }) =>
    claim(
      'tokenizer-hf',
      `ids of 139 texts from ${file}`,
      ['tokenizer-hf'],
      async () => {
        const made = await tokenizer();
        const encode = (one: VariantCase) => [made.startToken, ...made.encode(one.text), made.endToken];
        return unequal(variantCases(), encode, (one) => one.fast);
      },
      sigmaReason,
    ),
  ),
  claim(
    'tokenizer-hf',
    'ids of 139 texts by the slow tokenizer',
    ['tokenizer-hf'],
    async () => {
      const made = await variant();
      const encode = (one: VariantCase) => [made.startToken, ...made.encode(one.text), made.endToken];
      return unequal(variantCases(), encode, (one) => one.slow_with_ftfy);
    },
    slowReason,
  ),
  claim('tokenizer-hf', 'rows padded and cut to 16, and their decoded texts', ['tokenizer-hf'], async () => {
    const padded = readFixtureJson<{ texts: string[]; input_ids: number[][]; decoded: string[] }>(
      'tokenizer-hf/padded.json',
    );
    const made = await readTokenizerFiles(
      { 'tokenizer.json': text('tokenizer-hf/tokenizer.json'), ...variantConfig() },
      { contextLength: 16 },
    );
    const rows = padded.texts.map((_, i) => i);
    const quietly = { onWarning: () => undefined };
    return (
      unequal(
        rows,
        (i) => Array.from(made.tokenize([padded.texts[i]!], quietly).data, Number),
        (i) => padded.input_ids[i],
      ) +
      unequal(
        rows,
        (i) => made.decode(padded.input_ids[i]!),
        (i) => padded.decoded[i],
      )
    );
  }),
];
