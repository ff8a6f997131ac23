/** What the store's own indices find: pictures by their words, and the nearest beyond exact search. */
import type { Answering } from '../snapshot/current.ts';
import type { PictureStore } from '../store/pictures.ts';
import type { IndexSource } from '../store/source.ts';

/** Candidates beyond the page, for filters and for the page after it. */
const spareCandidates = 1000;

/** Ids of pictures whose names or captions have words of the text, the best first. */
export async function matchWords(
  source: IndexSource,
  answering: Answering,
  text: string,
  limit: number,
): Promise<string[]> {
  return (await tableOf(source, answering)).matchWords(text, limit);
}

/** Scores of the nearest pictures by the store's own index, [count]; NaN, which is no hit, for all others. */
export async function nearestScores(
  source: IndexSource,
  answering: Answering,
  vector: Float32Array,
  limit: number,
): Promise<Float32Array> {
  const table = await tableOf(source, answering);
  const scores = new Float32Array(answering.snapshot.count).fill(Number.NaN);
  for (const { id, similarity } of await table.nearest(vector, limit + spareCandidates)) {
    const row = answering.rowOf(id);
    if (row !== undefined) scores[row] = similarity;
  }
  return scores;
}

async function tableOf(source: IndexSource, { snapshot }: Answering): Promise<PictureStore> {
  const { pictures, model } = snapshot.about;
  return (await source.store()).pictures(pictures, model.embeddingSize);
}
