/** What each word of a text does to its similarity with a picture. */
import type { Clip } from '../../clip/clip.ts';

export interface WordEffect {
  /** As typed. */
  word: string;
  /** By how much the similarity falls where the word is left out; below 0 where it rises. */
  effect: number;
}

/** @param direction unit vector of the picture, [embeddingSize] */
export async function wordEffects(clip: Clip, text: string, direction: Float32Array): Promise<WordEffect[]> {
  const words = text.split(/\s+/u).filter(Boolean);
  const without = words.map((_, left) => words.filter((__, at) => at !== left).join(' '));
  const { data } = await clip.embedTexts([text, ...without]);
  const cosine = (row: number): number => {
    let sum = 0;
    for (let i = 0; i < direction.length; i++) sum += data[row * direction.length + i]! * direction[i]!;
    return sum;
  };
  const whole = cosine(0);
  return words.map((word, at) => ({ word, effect: whole - cosine(at + 1) }));
}
