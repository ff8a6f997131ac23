/** What each word of a text does to its similarity with a picture. */
import type { Clip } from '../../clip/clip.ts';

export interface WordEffect {
  /** As typed. */
  word: string;
  /** By how much the similarity falls where the word is left out; below 0 where it rises. */
  effect: number;
}

/** @param image vector of the picture, [embeddingSize] */
export async function wordEffects(clip: Clip, text: string, image: Float32Array): Promise<WordEffect[]> {
  const words = text.split(/\s+/u).filter(Boolean);
  const without = words.map((_, left) => words.filter((__, at) => at !== left).join(' '));
  const texts = await clip.embedTexts([text, ...without]);
  const cosines = clip.similarity({ data: image, shape: [1, image.length] }, texts).data;
  return words.map((word, at) => ({ word, effect: cosines[0]! - cosines[at + 1]! }));
}
