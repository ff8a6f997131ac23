import { rm } from 'node:fs/promises';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { loadCalibration, relevanceOf, saveCalibration } from '../../src/classifier/relevance/calibration.ts';
import { fitRelevance } from '../../src/classifier/relevance/fit.ts';
import { captionedPicture, contentWords, fits, wordQueries } from '../../src/classifier/relevance/judge.ts';
import {
  areaUnderCurve,
  calibrationError,
  measureAnswers,
  measureHits,
} from '../../src/classifier/relevance/measures.ts';
import { momentsOf, usualCosine } from '../../src/classifier/relevance/moments.ts';
import { loadClip } from '../../src/clip/load.ts';
import { writeTinyModel } from '../tiny-model.ts';

/** Numbers of a normal distribution, the same every time (Box and Muller). */
function normals(seed: number): () => number {
  let state = seed;
  const uniform = (): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state + 0.5) / 2 ** 32;
  };
  return () => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform());
}

function unitVector(next: () => number, width: number): Float32Array {
  const vector = Float32Array.from({ length: width }, next);
  const length = Math.hypot(...vector);
  return vector.map((value) => value / length);
}

const width = 24;

/** Pictures of 40 kinds, each kind around a direction of its own. */
function pictures(count: number, seed: number) {
  const next = normals(seed);
  const kinds = Array.from({ length: 40 }, () => unitVector(normals(seed + next() * 1e6), width));
  const kindOf = Array.from({ length: count }, (_, row) => row % 40);
  const data = new Float32Array(count * width);
  kindOf.forEach((kind, row) => {
    const noise = unitVector(next, width);
    const vector = kinds[kind]!.map((value, i) => 0.75 * value + noise[i]! + 0.1);
    const length = Math.hypot(...vector);
    data.set(
      vector.map((value) => value / length),
      row * width,
    );
  });
  const queries = kinds.map((vector, kind) => ({ vector, fits: (row: number) => kindOf[row] === kind }));
  return { images: { data, shape: [count, width] }, queries };
}

test('mean and deviation of a query’s cosines are those that a pass over all pictures finds', () => {
  const { images, queries } = pictures(4000, 3);
  const moments = momentsOf(images.data, width);
  for (const { vector } of queries.slice(0, 5)) {
    const cosines = Array.from({ length: 4000 }, (_, row) =>
      vector.reduce((sum, value, i) => sum + value * images.data[row * width + i]!, 0),
    );
    const mean = cosines.reduce((sum, value) => sum + value, 0) / 4000;
    const variance = cosines.reduce((sum, value) => sum + (value - mean) ** 2, 0) / 4000;
    const usual = usualCosine(vector, moments);
    expect(usual.mean).toBeCloseTo(mean, 5);
    expect(usual.deviation).toBeCloseTo(Math.sqrt(variance), 2);
  }
});

test('few pictures, or none, still have a deviation in every direction', () => {
  for (const count of [0, 1, 3]) {
    const { images, queries } = pictures(count, 5);
    const { deviation } = usualCosine(queries[0]!.vector, momentsOf(images.data, width));
    expect(deviation).toBeGreaterThan(0);
    expect(Number.isFinite(deviation)).toBe(true);
  }
});

test('a fit on some queries gives true probabilities for others, and tells apart what is there', () => {
  const training = pictures(800, 11);
  const held = pictures(800, 23);
  const background = momentsOf(training.images.data, width);
  const weights = fitRelevance(training.images, [training.queries], background);
  expect(weights.z).toBeGreaterThan(0);
  const hits = measureHits(held.images, held.queries, weights, background);
  expect(hits.hitAuroc).toBeGreaterThan(0.75);
  expect(hits.calibrationError).toBeLessThan(0.12);
  const next = normals(99);
  const answers = measureAnswers(
    held.images,
    {
      answerable: held.queries.map(({ vector }) => vector),
      unanswerable: Array.from({ length: 40 }, () => unitVector(next, width)),
    },
    weights,
    background,
  );
  expect(answers.auroc).toBeGreaterThan(0.85);
  expect(answers.wronglyEmpty).toBeLessThan(0.2);
  expect(() =>
    fitRelevance(held.images, [[{ vector: held.queries[0]!.vector, fits: () => false }]], background),
  ).toThrow(expect.objectContaining({ code: 'invalid_option' }));
});

test('probability and cosine are each other’s way back, and rise together', () => {
  const { images, queries } = pictures(200, 2);
  const background = momentsOf(images.data, width);
  const one = { bias: -5, z: 1.2, cosine: -2, deviation: 3, cutOff: 0.1 };
  const relevance = relevanceOf(
    queries[0]!.vector,
    'text',
    { background, weights: { text: one, image: one } },
    background,
  );
  for (const probability of [0.01, 0.3, 0.9]) {
    expect(relevance.probability(relevance.cosineFor(probability))).toBeCloseTo(probability, 9);
  }
  expect(relevance.cosineFor(0)).toBe(Number.NEGATIVE_INFINITY);
  expect(relevance.cosineFor(1)).toBe(Number.POSITIVE_INFINITY);
  expect(relevance.probability(0.6)).toBeGreaterThan(relevance.probability(0.5));
});

test('no probability falls as the cosine rises, whatever a calibration holds', () => {
  const { images, queries } = pictures(200, 2);
  const background = momentsOf(images.data, width);
  const weight = fc.double({ min: -60, max: 60, noNaN: true });
  const cosine = fc.double({ min: -1, max: 1, noNaN: true });
  fc.assert(
    fc.property(
      fc.record({ bias: weight, z: weight, cosine: weight, deviation: weight, cutOff: fc.constant(0.1) }),
      fc.nat(queries.length - 1),
      fc.tuple(cosine, cosine),
      (weights, query, cosines) => {
        const calibration = { background, weights: { text: weights, image: weights } };
        const relevance = relevanceOf(queries[query]!.vector, 'image', calibration, background);
        const [low, high] = [...cosines].sort((a, b) => a - b) as [number, number];
        expect(relevance.probability(high)).toBeGreaterThanOrEqual(relevance.probability(low));
      },
    ),
    { endOnFailure: true },
  );
});

test('a fit rises with z and with the cosine, also where nearer pictures fit less often', () => {
  const { images, queries } = pictures(400, 31);
  const background = momentsOf(images.data, width);
  const contrary = queries.map(({ vector, fits: isKind }) => ({
    vector,
    fits: (row: number) => row % 3 === 0 && !isKind(row),
  }));
  for (const judged of [queries, contrary]) {
    const weights = fitRelevance(images, [judged], background);
    expect(weights.z).toBeGreaterThanOrEqual(0);
    expect(weights.cosine).toBeGreaterThanOrEqual(0);
  }
});

test('areas and errors of calibration are those of small examples', () => {
  expect(areaUnderCurve([0.9, 0.4], [0.5, 0.1])).toBe(0.75);
  expect(areaUnderCurve([0.5], [0.5])).toBe(0.5);
  const sure = Array.from({ length: 100 }, (_, i) => ({ probability: i < 50 ? 0 : 1, fits: i >= 50 }));
  expect(calibrationError(sure)).toBe(0);
  expect(calibrationError(sure.map(({ probability }) => ({ probability, fits: false })))).toBeCloseTo(0.5);
});

test('captions judge which pictures fit', () => {
  const picture = captionedPicture([
    'Two dogs are running on the beach .',
    'A brown dog runs at the sea',
    'A dog and a ball',
  ]);
  expect([...contentWords('Two dogs are running on the beach .')].sort()).toEqual(['beach', 'dog', 'runn']);
  expect(fits(contentWords('dog'), picture)).toBe(true);
  expect(fits(contentWords('ball'), picture)).toBeUndefined();
  expect(fits(contentWords('cat'), picture)).toBe(false);
  expect(fits(contentWords('a brown dog on a beach'), picture)).toBe(true);
  expect(fits(contentWords('a brown cat on a roof'), picture)).toBe(false);
  expect(
    wordQueries(
      [
        ['a dog', 'the dogs'],
        ['dogs', 'two dogs'],
        ['a cat', 'a cat'],
      ],
      { least: 2, most: 9 },
    ),
  ).toEqual(['dogs']);
});

test('a calibration is found beside its model, and not taken for other weights', async () => {
  const folder = await writeTinyModel();
  const clip = await loadClip(folder);
  const { model: name, fingerprint } = clip.config;
  expect((await loadCalibration({ name, fingerprint })).background).toBeUndefined();
  const one = { bias: -1, z: 2, cosine: 0, deviation: 0, cutOff: 0.25 };
  const mean = new Float32Array(32).fill(0.5);
  const covariance = new Float32Array(32 * 32).fill(0.25);
  await saveCalibration(folder, clip, {
    background: { mean, covariance },
    weights: { text: one, image: one },
  });
  expect(await loadCalibration({ name, fingerprint })).toEqual({
    background: { mean, covariance },
    weights: { text: one, image: one },
  });
  expect((await loadCalibration({ name, fingerprint: 'other' })).background).toBeUndefined();
  await clip.close();
  await rm(folder, { recursive: true });
});
