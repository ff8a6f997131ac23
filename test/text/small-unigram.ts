/** A SentencePiece vocabulary of a few pieces for tests, in the form of SigLIP's `tokenizer.json`. */

export const unigramPieces: [piece: string, score: number][] = [
  ['<pad>', 0],
  ['</s>', 0],
  ['<unk>', 0],
  ['▁', -2.03],
  ['▁a', -2.51],
  ['a', -4.07],
  ['b', -4.21],
  ['c', -4.53],
  ['t', -4.41],
  ['ab', -5.13],
  ['at', -5.37],
  ['bat', -7.9],
  ['▁cat', -7.19],
  ['tab', -8.3],
  ['▁ca', -6.61],
  ['▁b', -5.03],
];

/** A fresh copy each time, for tests that break it. */
export function unigramTokenizer() {
  return {
    version: '1.0',
    added_tokens: [
      {
        id: 1,
        content: '</s>',
        special: true,
        normalized: false,
        lstrip: false,
        rstrip: false,
        single_word: false,
      },
    ],
    normalizer: { type: 'Sequence', normalizers: [{ type: 'Strip', strip_left: true, strip_right: true }] },
    pre_tokenizer: {
      type: 'Sequence',
      pretokenizers: [
        { type: 'WhitespaceSplit' },
        { type: 'Metaspace', replacement: '▁', prepend_scheme: 'always', add_prefix_space: true },
      ],
    },
    post_processor: {
      type: 'TemplateProcessing',
      single: [{ Sequence: { id: 'A', type_id: 0 } }, { SpecialToken: { id: '</s>', type_id: 0 } }],
      pair: [],
      special_tokens: { '</s>': { id: '</s>', ids: [1], tokens: ['</s>'] } },
    },
    decoder: { type: 'Metaspace', replacement: '▁', prepend_scheme: 'always', add_prefix_space: true },
    model: { type: 'Unigram', unk_id: 2, vocab: structuredClone(unigramPieces) },
  };
}

export const unigramConfig = {
  do_lower_case: true,
  eos_token: '</s>',
  pad_token: '</s>',
  unk_token: '<unk>',
  model_max_length: 8,
  tokenizer_class: 'SiglipTokenizer',
};
