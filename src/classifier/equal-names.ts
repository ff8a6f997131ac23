/** Names that a model cannot tell apart, because its tokenizer makes the same tokens of them. */
import type { Clip } from '../clip/clip.ts';
import { typedText } from '../text/typed.ts';

/**
 * For each name the first one with the same tokens, itself where there is none before: letters in capitals or composed
 * otherwise, spaces, and what stands beyond the model's context make no difference to many tokenizers.
 * @param names each with all its sentences
 * @returns indices into the names, [names]
 * @throws EidosError what the model's tokenizer throws
 */
export async function firstOfSameTokens(
  clip: Pick<Clip, 'tokenizer'>,
  names: readonly (readonly string[])[],
): Promise<number[]> {
  const { data, shape } = (await clip.tokenizer()).tokenize(names.flat().map(typedText));
  const length = shape[1]!;
  const firsts = new Map<string, number>();
  let row = 0;
  return names.map((sentences, index) => {
    const tokens = data.subarray(row * length, (row + sentences.length) * length).join(' ');
    row += sentences.length;
    const first = firsts.get(tokens) ?? index;
    firsts.set(tokens, first);
    return first;
  });
}
