/** A tokenizer on its own, without a training: from the lines of a corpus to files that Hugging Face's libraries load. */
import { EidosError } from '../errors.ts';
import {
  createWordCounts,
  type TrainedVocabulary,
  usualVocabulary,
  vocabularyOfWords,
} from '../text/train-vocabulary.ts';

export interface TrainTokenizerOptions {
  /** Tokens wanted, with the 512 symbols of bytes, start and end: 514 to 100,000. @default 8192 */
  size?: number;
  /** Tokens a row, start and end included. @default 32 */
  contextLength?: number;
}

/**
 * Learns byte-level byte pairs (Sennrich et al. 2016, arXiv:1508.07909) from the lines of a corpus, inside words as
 * CLIP cuts them, in lower case. Of the lines only their different words stay in memory, up to 24 million characters of
 * them: then those that have come least are forgotten. Short of that the same lines give the same tokenizer, in whatever
 * order they come.
 *
 * `files` holds `tokenizer.json` and what belongs beside it (`vocab.json`, `merges.txt`, `tokenizer_config.json`,
 * `special_tokens_map.json`), for Hugging Face's tokenizers, transformers and transformers.js. Written into a folder,
 * they are the `tokenizer: { from: folder }` of a training.
 * @throws EidosError `invalid_option` for sizes out of range and for anything but strings
 */
export async function trainTokenizer(
  lines: Iterable<string> | AsyncIterable<string>,
  { size = usualVocabulary.size, contextLength = usualVocabulary.contextLength }: TrainTokenizerOptions = {},
): Promise<TrainedVocabulary> {
  if (typeof lines === 'string') {
    throw new EidosError('invalid_option', 'The corpus is one string: give its lines, as with split("\\n").');
  }
  // From nothing first, so that wrong sizes are refused before a long corpus is read.
  vocabularyOfWords(new Map(), { size, contextLength });
  const words = createWordCounts();
  for await (const line of lines) words.add(line);
  return vocabularyOfWords(words.counts, { size, contextLength });
}
