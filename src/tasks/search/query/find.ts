/** One query from words and pictures to an answer: embedded, scored against every picture, placed, cut to a page. */
import { relevanceOf } from '../../../classifier/relevance/calibration.ts';
import type { Clip } from '../../../clip/clip.ts';
import { EidosError } from '../../../errors.ts';
import { requireSameModel } from '../models.ts';
import { defaultExactUpTo, type IndexParts } from '../parts.ts';
import type { Answering } from '../snapshot/current.ts';
import { product } from '../snapshot/product.ts';
import { presentAbout } from '../snapshot/questions.ts';
import type { SearchAnswer, SearchOptions, SearchQuery } from '../types.ts';
import { answer } from './answer.ts';
import { embedQuery, partsOf } from './embed.ts';
import { copiesOf, indexedSeen } from './seen.ts';
import { matchWords, nearestScores } from './store-scores.ts';

/** Pictures whose names or captions have the words, that are looked at for a hybrid answer. */
const mostWordMatches = 1000;

/**
 * @param leftOutId the picture whose like is sought, which is no hit
 * @throws EidosError as `SearchIndex.search` does
 */
export async function find(
  parts: IndexParts,
  query: SearchQuery | string,
  settings: SearchOptions,
  leftOutId?: string,
): Promise<SearchAnswer> {
  checkNames(settings);
  const wanted = partsOf(query);
  // The model is opened while the copy is read; a query of indexed pictures alone needs none.
  const clip = wanted.some((part) => !('id' in part)) ? matchingClip(parts) : undefined;
  clip?.catch(() => {});
  const { vector, kind, words, seen } = await embedQuery(
    wanted,
    () => clip!,
    (id) => indexedSeen(parts, id),
    settings.signal,
  );
  const answering = await parts.current.answering();
  const { snapshot, rowOf } = answering;
  const calibration = await parts.models.calibration(snapshot.about.model);
  const wordRows = settings.hybrid && words !== '' ? await rowsWithWords(parts, answering, words) : undefined;
  const copies = seen === undefined ? [] : await copiesOf(seen, snapshot);
  const scores = await scoresOf(parts, answering, {
    vector,
    settings,
    wanted: [...copies, ...(wordRows ?? [])],
  });
  return answer(
    {
      snapshot,
      scores,
      relevance: relevanceOf(vector, kind, calibration, calibration.background ?? snapshot.moments),
      leftOut: leftOutId === undefined ? undefined : rowOf(leftOutId),
      wordRows,
      copies,
    },
    settings,
  );
}

/** The model, if it is the one that the index was made with. */
export async function matchingClip({ source, current, models }: IndexParts): Promise<Clip> {
  const [clip, about] = await Promise.all([models.clip(), presentAbout(source, current)]);
  if (about !== undefined) requireSameModel(source.path, clip, about.model);
  return clip;
}

/** Cosines with every picture, [count]; beyond exact search of the nearest and of `wanted` rows alone, NaN elsewhere. */
async function scoresOf(
  { source, options }: IndexParts,
  answering: Answering,
  {
    vector,
    settings: { offset = 0, topK = 10 },
    wanted,
  }: { vector: Float32Array; settings: SearchOptions; wanted: readonly number[] },
): Promise<Float32Array> {
  const { snapshot, scorer } = answering;
  if (snapshot.count <= (options.exactUpTo ?? defaultExactUpTo)) {
    return (await scorer.score({ data: vector, shape: [1, vector.length] })).data;
  }
  const scores = await nearestScores(source, answering, vector, offset + topK);
  for (const row of wanted) {
    if (Number.isNaN(scores[row]!)) scores[row] = product(vector, await scorer.vector(row));
  }
  return scores;
}

async function rowsWithWords({ source }: IndexParts, answering: Answering, words: string): Promise<number[]> {
  const ids = await matchWords(source, answering, words, mostWordMatches);
  return ids.flatMap((id) => answering.rowOf(id) ?? []);
}

const settingNames = new Set(['topK', 'offset', 'filters', 'cutOff', 'hybrid', 'collapse', 'signal']);

function checkNames(settings: SearchOptions): void {
  for (const name of Object.keys(settings)) {
    if (settingNames.has(name)) continue;
    throw new EidosError(
      'invalid_option',
      `A search has no option "${name}": there are ${[...settingNames].join(', ')}.`,
    );
  }
}
