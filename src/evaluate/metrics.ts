/** What is counted: at which place the right answer stands among all answers, for names and for retrieval. */
import type { Embeddings } from '../clip/embeddings.ts';
import { EidosError } from '../errors.ts';
import { type Interval, wilsonInterval } from './wilson.ts';

/** A share of trials with its interval. */
export interface Share {
  /** 0 to 1. */
  value: number;
  /** Where the true share lies with 95 % confidence (Wilson). */
  interval: Interval;
  /** Trials: pictures, or captions where captions are the queries. */
  n: number;
}

/**
 * The place of the score at `target` among all, 0 for the best. Equal scores stand in their order, so that a model
 * that calls everything alike is right by chance only; a score that is no number is never ahead of any other.
 */
export function rankOf(scores: ArrayLike<number>, target: number): number {
  const own = scores[target]!;
  let rank = 0;
  for (let i = 0; i < scores.length; i++) if (i !== target && !isBehind(scores[i]!, i, own, target)) rank++;
  return rank;
}

/** Whether a rival loses against a score. With NaN on either side it does not. */
function isBehind(rival: number, at: number, own: number, target: number): boolean {
  return rival < own || (rival === own && at > target);
}

/**
 * The share of trials whose right answer is among the first k: accuracy@k and recall@k.
 * @throws EidosError `invalid_option` without trials
 */
export function shareWithin(ranks: ArrayLike<number>, k: number): Share {
  let hits = 0;
  for (let i = 0; i < ranks.length; i++) if (ranks[i]! < k) hits++;
  return { value: hits / ranks.length, interval: wilsonInterval(hits, ranks.length), n: ranks.length };
}

/** Ranks of right answers in both directions of retrieval. */
export interface RetrievalRanks {
  /** For each text, the place of its picture among all pictures, [texts]. */
  textToImage: Int32Array;
  /** For each picture, the place of its best text among all texts, [pictures]. */
  imageToText: Int32Array;
}

/**
 * Ranks by cosine, where several texts may belong to one picture: a text has one right picture, a picture is found
 * by any of its texts.
 * @param images unit vectors, [pictures, width]
 * @param texts unit vectors, [texts, width]
 * @param owner the picture of each text, [texts]; every picture has at least one
 * @throws EidosError `invalid_option` where the numbers do not fit each other
 */
export function retrievalRanks(
  images: Embeddings,
  texts: Embeddings,
  owner: ArrayLike<number>,
): RetrievalRanks {
  const [pictureCount, width] = images.shape as [number, number];
  const textCount = checkOwners(texts, owner, pictureCount, width);
  // cosine(picture, text) is always this product of the same numbers in the same order: ranks compare for equality.
  const own = Float64Array.from({ length: textCount }, (_, text) => dot(images, owner[text]!, texts, text));
  const best = bestTexts(own, owner, pictureCount);
  const textToImage = new Int32Array(textCount);
  const imageToText = new Int32Array(pictureCount);
  for (let picture = 0; picture < pictureCount; picture++) {
    const bestText = best[picture]!;
    for (let text = 0; text < textCount; text++) {
      const score = dot(images, picture, texts, text);
      if (owner[text] !== picture && !isBehind(score, picture, own[text]!, owner[text]!))
        textToImage[text]!++;
      if (text !== bestText && !isBehind(score, text, own[bestText]!, bestText)) imageToText[picture]!++;
    }
  }
  return { textToImage, imageToText };
}

function checkOwners(
  texts: Embeddings,
  owner: ArrayLike<number>,
  pictureCount: number,
  width: number,
): number {
  const [textCount, textWidth] = texts.shape as [number, number];
  const owners = new Set(Array.from(owner));
  const known = [...owners].every((index) => Number.isInteger(index) && index >= 0 && index < pictureCount);
  if (textWidth !== width || owner.length !== textCount || !known || owners.size !== pictureCount) {
    throw new EidosError(
      'invalid_option',
      `Retrieval compares ${pictureCount} pictures of width ${width} with ${textCount} texts of width ${textWidth} and ${owner.length} owners, but widths must be equal, and every text and every picture must belong together.`,
    );
  }
  return textCount;
}

/** The text that fits each picture best among its own; the first where several fit alike. */
function bestTexts(own: Float64Array, owner: ArrayLike<number>, pictureCount: number): Int32Array {
  const best = new Int32Array(pictureCount).fill(-1);
  for (let text = 0; text < own.length; text++) {
    const before = best[owner[text]!]!;
    if (before < 0 || own[text]! > own[before]! || Number.isNaN(own[before])) best[owner[text]!] = text;
  }
  return best;
}

function dot(a: Embeddings, i: number, b: Embeddings, j: number): number {
  const width = a.shape[1]!;
  let sum = 0;
  for (let k = 0; k < width; k++) sum += a.data[i * width + k]! * b.data[j * width + k]!;
  return sum;
}
