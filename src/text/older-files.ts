/**
 * What Hugging Face's tools make of the vocabularies that lie beside models without a `tokenizer.json`: the same content as
 * that file would have.
 */
import type { Piece, SentencePieceModel } from './sentence-piece.ts';
import { invalidTokenizer, isObject, type JsonObject } from './vocabulary-json.ts';

interface Added {
  content: string;
  id: number;
  lstrip?: boolean;
  normalized?: boolean;
}

const around = (before: readonly string[], after: readonly string[]): JsonObject => ({
  type: 'TemplateProcessing',
  single: [
    ...before.map((id) => ({ SpecialToken: { id, type_id: 0 } })),
    { Sequence: { id: 'A', type_id: 0 } },
    ...after.map((id) => ({ SpecialToken: { id, type_id: 0 } })),
  ],
});

const addedTokens = (tokens: readonly Added[]): JsonObject[] =>
  tokens.map(({ content, id, lstrip = false, normalized = false }) => ({
    id,
    content,
    single_word: false,
    lstrip,
    rstrip: false,
    normalized,
    special: true,
  }));

/**
 * BERT's `vocab.txt`: a token a line.
 * @throws EidosError `invalid_tokenizer` where a token that stands around sentences is missing
 */
export function bertContent(text: string, config: JsonObject): JsonObject {
  const vocab: Record<string, number> = Object.create(null) as Record<string, number>;
  const lines = text.split(/\r?\n/);
  if (lines.at(-1) === '') lines.pop();
  lines.forEach((line, id) => {
    vocab[line] ??= id;
  });
  const special = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]'].filter((token) => token in vocab);
  for (const token of ['[UNK]', '[CLS]', '[SEP]']) {
    if (!(token in vocab))
      throw invalidTokenizer('vocab.txt', `it has no ${token}, which BERT's vocabularies have.`);
  }
  return {
    added_tokens: addedTokens(special.map((content) => ({ content, id: vocab[content]! }))),
    normalizer: {
      type: 'BertNormalizer',
      clean_text: true,
      handle_chinese_chars: config.tokenize_chinese_chars ?? true,
      strip_accents: config.strip_accents ?? null,
      lowercase: config.do_lower_case ?? true,
    },
    pre_tokenizer: { type: 'BertPreTokenizer' },
    post_processor: around(['[CLS]'], ['[SEP]']),
    decoder: { type: 'WordPiece', prefix: '##', cleanup: true },
    model: {
      type: 'WordPiece',
      unk_token: '[UNK]',
      continuing_subword_prefix: '##',
      max_input_chars_per_word: 100,
      vocab,
    },
  };
}

/** Whether a `vocab.json` is RoBERTa's: CLIP's marks the ends of words, and has other tokens around sentences. */
export function isRobertaVocabulary(vocab: ReadonlyMap<string, number>): boolean {
  return vocab.has('<s>') && vocab.has('</s>') && !vocab.has('<|endoftext|>');
}

/** RoBERTa's `vocab.json` with `merges.txt`. */
export function robertaContent(
  vocab: ReadonlyMap<string, number>,
  merges: readonly (readonly [string, string])[],
  config: JsonObject,
): JsonObject {
  const added = ['<s>', '<pad>', '</s>', '<unk>'].flatMap((content) => {
    const id = vocab.get(content);
    return id === undefined ? [] : [{ content, id, normalized: true }];
  });
  const mask = vocab.get('<mask>');
  return {
    added_tokens: addedTokens([
      ...added,
      ...(mask === undefined ? [] : [{ content: '<mask>', id: mask, lstrip: true }]),
    ]),
    normalizer: null,
    pre_tokenizer: {
      type: 'ByteLevel',
      add_prefix_space: config.add_prefix_space === true,
      trim_offsets: true,
      use_regex: true,
    },
    post_processor: {
      type: 'RobertaProcessing',
      sep: ['</s>', vocab.get('</s>')],
      cls: ['<s>', vocab.get('<s>')],
      trim_offsets: true,
      add_prefix_space: config.add_prefix_space === true,
    },
    decoder: { type: 'ByteLevel' },
    model: {
      type: 'BPE',
      unk_token: '<unk>',
      continuing_subword_prefix: '',
      end_of_word_suffix: '',
      vocab: Object.fromEntries(vocab),
      merges: merges.map((pair) => [...pair]),
    },
  };
}

/** How the families that SentencePiece made vocabularies for use them. */
type Family = 'xlm-roberta' | 'nllb' | 't5' | 'siglip' | 'gemma';

const classes: Readonly<Record<string, Family>> = {
  XLMRobertaTokenizer: 'xlm-roberta',
  NllbTokenizer: 'nllb',
  T5Tokenizer: 't5',
  MT5Tokenizer: 't5',
  SiglipTokenizer: 'siglip',
  GemmaTokenizer: 'gemma',
};

/**
 * A model of SentencePiece's with the tokens that its family adds.
 * @param config of `tokenizer_config.json`; without it the first pieces tell the family
 * @param extra content of `added_tokens.json`
 * @throws EidosError `invalid_tokenizer` for a family that eidos does not know
 */
export function sentencePieceContent(
  model: SentencePieceModel,
  config: JsonObject,
  extra: JsonObject,
  file: string,
): JsonObject {
  const name = typeof config.tokenizer_class === 'string' ? config.tokenizer_class.replace(/Fast$/, '') : '';
  const family = Object.hasOwn(classes, name) ? classes[name] : familyByPieces(model);
  if (family === undefined) {
    throw invalidTokenizer(
      file,
      `its tokenizer_class is ${name || 'not named'} and its first pieces are ${model.pieces
        .slice(0, 3)
        .map(({ text }) => text)
        .join(', ')}; eidos knows ${Object.keys(classes).join(', ')}.`,
    );
  }
  const table = Buffer.from(model.characterMap).toString('base64');
  const spaces = (content: string): JsonObject => ({ type: 'Replace', pattern: { Regex: ' {2,}' }, content });
  const metaspace = { type: 'Metaspace', replacement: '▁', prepend_scheme: 'always', split: true };
  const precompiled = { type: 'Precompiled', precompiled_charsmap: table };
  const spaced = {
    normalizer: {
      type: 'Sequence',
      normalizers: [precompiled, { type: 'Strip', strip_left: false, strip_right: true }, spaces('▁')],
    },
    pre_tokenizer: metaspace,
    decoder: metaspace,
  };
  switch (family) {
    case 'xlm-roberta': {
      // The numbers are those of fairseq: four tokens of its own before the file's pieces.
      const own: Piece[] = ['<s>', '<pad>', '</s>', '<unk>'].map((text) => ({
        text,
        score: 0,
        role: 'control',
      }));
      const pieces = [
        ...own,
        ...model.pieces.slice(3),
        { text: '<mask>', score: 0, role: 'control' as const },
      ];
      return {
        ...spaced,
        added_tokens: addedTokens([
          ...own.map(({ text }, id) => ({ content: text, id })),
          { content: '<mask>', id: pieces.length - 1, lstrip: true },
        ]),
        post_processor: around(['<s>'], ['</s>']),
        model: unigram(pieces, 3),
      };
    }
    case 'nllb': {
      const own = ['<s>', '<pad>', '</s>', '<unk>'];
      const texts = [...own, ...model.pieces.slice(3).map(({ text }) => text)];
      const vocab = new Map(texts.map((text, id) => [text, id]));
      const languages = Object.entries(extra).filter((entry): entry is [string, number] =>
        Number.isInteger(entry[1]),
      );
      const language = typeof config.src_lang === 'string' ? config.src_lang : 'eng_Latn';
      return {
        ...spaced,
        added_tokens: addedTokens([
          ...own.map((content, id) => ({ content, id })),
          ...languages.map(([content, id]) =>
            content === '<mask>' ? { content, id, lstrip: true, normalized: true } : { content, id },
          ),
        ]),
        post_processor: around(languages.some(([code]) => code === language) ? [language] : [], ['</s>']),
        model: bytePairs(vocab, model.pieces.slice(3), { unknown: '<unk>', byteFallback: false }),
      };
    }
    case 't5': {
      const count = Number.isInteger(config.extra_ids) ? Number(config.extra_ids) : 0;
      const sentinels = Array.from({ length: count }, (_, at) => `<extra_id_${count - 1 - at}>`);
      const pieces: Piece[] = [
        ...model.pieces,
        ...sentinels.map((text): Piece => ({ text, score: 0, role: 'control' })),
      ];
      const unknown = model.pieces.findIndex(({ role }) => role === 'unknown');
      const special = pieces.flatMap(({ text, role }, id) =>
        role === 'control' || role === 'unknown' ? [{ content: text, id }] : [],
      );
      return {
        ...spaced,
        added_tokens: addedTokens(special),
        post_processor: around([], ['</s>']),
        model: unigram(pieces, unknown),
      };
    }
    case 'siglip': {
      const special = model.pieces.flatMap(({ text, role }, id) =>
        text === '</s>' || role === 'unknown' ? [{ content: text, id, lstrip: true }] : [],
      );
      return {
        ...spaced,
        normalizer: { type: 'Sequence', normalizers: [precompiled, spaces(' ')] },
        added_tokens: addedTokens(special),
        post_processor: around([], ['</s>']),
        model: unigram(
          model.pieces,
          model.pieces.findIndex(({ role }) => role === 'unknown'),
        ),
      };
    }
    case 'gemma': {
      const vocab = new Map(model.pieces.map(({ text }, id) => [text, id]));
      const special = model.pieces.flatMap(({ text, role }, id) =>
        role === 'control' || role === 'unknown' || role === 'user' ? [{ content: text, id }] : [],
      );
      const before = config.add_bos_token === false ? [] : ['<bos>'];
      const after = config.add_eos_token === true ? ['<eos>'] : [];
      return {
        added_tokens: addedTokens(special),
        normalizer: { type: 'Replace', pattern: { String: ' ' }, content: '▁' },
        pre_tokenizer: {
          type: 'Split',
          pattern: { String: ' ' },
          behavior: 'MergedWithPrevious',
          invert: false,
        },
        post_processor: around(before, after),
        decoder: {
          type: 'Sequence',
          decoders: [
            { type: 'Replace', pattern: { String: '▁' }, content: ' ' },
            { type: 'ByteFallback' },
            { type: 'Fuse' },
          ],
        },
        model: bytePairs(vocab, model.pieces, { unknown: '<unk>', byteFallback: true }),
      };
    }
  }
}

function familyByPieces({ pieces, kind }: SentencePieceModel): Family | undefined {
  const first = pieces
    .slice(0, 3)
    .map(({ text }) => text)
    .join(' ');
  if (first === '<unk> <s> </s>') return kind === 'BPE' ? 'nllb' : 'xlm-roberta';
  if (first === '<pad> </s> <unk>') return 't5';
  return first === '<pad> <eos> <bos>' ? 'gemma' : undefined;
}

const unigram = (pieces: readonly Piece[], unknown: number): JsonObject => ({
  type: 'Unigram',
  unk_id: unknown,
  vocab: pieces.map(({ text, score }) => [text, score]),
});

/** SentencePiece keeps no merges: every cut of a piece into two pieces is one, those of better scores first. */
function bytePairs(
  vocab: ReadonlyMap<string, number>,
  pieces: readonly Piece[],
  { unknown, byteFallback }: { unknown: string; byteFallback: boolean },
): JsonObject {
  const merges: { left: string; right: string; score: number }[] = [];
  for (const { text, score } of pieces) {
    const own: { left: string; right: string; score: number }[] = [];
    for (let cut = 1; cut < text.length; cut++) {
      const [left, right] = [text.slice(0, cut), text.slice(cut)];
      if (vocab.has(left) && vocab.has(right)) own.push({ left, right, score });
    }
    own.sort((a, b) => vocab.get(a.left)! - vocab.get(b.left)! || vocab.get(a.right)! - vocab.get(b.right)!);
    merges.push(...own);
  }
  const letters = (text: string): number => Array.from(text).length;
  merges.sort(
    (a, b) => b.score - a.score || letters(b.left) - letters(a.left) || letters(b.right) - letters(a.right),
  );
  return {
    type: 'BPE',
    dropout: null,
    unk_token: unknown,
    continuing_subword_prefix: null,
    end_of_word_suffix: null,
    fuse_unk: true,
    byte_fallback: byteFallback,
    ignore_merges: false,
    vocab: Object.fromEntries(vocab),
    merges: merges.map(({ left, right }) => [left, right]),
  };
}

/** The configuration's own fields, where there is one. */
export function configOf(configs: readonly { name: string; content: JsonObject }[]): JsonObject {
  const found = configs.find(({ name }) => name === 'tokenizer_config.json')?.content;
  return isObject(found) ? found : {};
}
