import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { openWeights, readBytes, readTensor } from '../../src/checkpoint/index.ts';
import { type Embeddings, normalizeRows } from '../../src/clip/embeddings.ts';
import { rankOf, retrievalRanks, shareWithin } from '../../src/evaluate/metrics.ts';
import { wilsonInterval } from '../../src/evaluate/wilson.ts';
import { sharedFixtures } from '../fixtures.ts';

async function floats(file: string, name: string): Promise<Embeddings> {
  const tensor = (await openWeights(file)).tensors.get(name)!;
  return { data: await readTensor(tensor), shape: [...tensor.shape] };
}

async function integers(file: string, name: string): Promise<number[]> {
  const bytes = await readBytes((await openWeights(file)).tensors.get(name)!);
  return Array.from(
    new BigInt64Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length)),
    Number,
  );
}

describe.skipIf(sharedFixtures === undefined)('the figures of the original code', () => {
  // Two programs' names for the same thing: pictures are found by text, texts by picture.
  const names = {
    metrics: ['text_to_image_recall', 'image_to_text_recall'],
    'metrics-more': ['image_retrieval_recall', 'text_retrieval_recall'],
  } as const;

  test.each(['metrics', 'metrics-more'] as const)('recall of %s, exactly', async (folder) => {
    const file = join(sharedFixtures!, folder, 'retrieval.safetensors');
    const wanted = JSON.parse(await readFile(join(sharedFixtures!, folder, 'retrieval.json'), 'utf8'));
    const images = normalizeRows(await floats(file, 'images'));
    const texts = normalizeRows(await floats(file, 'texts'));
    const { textToImage, imageToText } = retrievalRanks(images, texts, await integers(file, 'owner'));
    const [toImage, toText] = names[folder];
    for (const k of [1, 5, 10]) {
      // One of the two programs computes shares in single precision.
      expect(Math.fround(shareWithin(textToImage, k).value)).toBe(Math.fround(wanted[`${toImage}@${k}`]));
      expect(Math.fround(shareWithin(imageToText, k).value)).toBe(Math.fround(wanted[`${toText}@${k}`]));
    }
    expect(shareWithin(textToImage, 1).n).toBe(texts.shape[0]);
    expect(shareWithin(imageToText, 1).n).toBe(images.shape[0]);
  });

  test('accuracy@1 and accuracy@5', async () => {
    const file = join(sharedFixtures!, 'metrics-more/classification.safetensors');
    const wanted = JSON.parse(await readFile(file.replace('.safetensors', '.json'), 'utf8'));
    const { data, shape } = await floats(file, 'logits');
    const targets = await integers(file, 'targets');
    const classes = shape[1]!;
    const ranks = targets.map((target, row) =>
      rankOf(data.subarray(row * classes, (row + 1) * classes), target),
    );
    for (const k of [1, 5]) expect(shareWithin(ranks, k).value).toBeCloseTo(wanted[`accuracy@${k}`], 12);
  });
});

describe('ranks', () => {
  test('are places in the falling order of scores', () => {
    const scores = fc.uniqueArray(fc.double({ noNaN: true, min: -1, max: 1 }), {
      minLength: 1,
      maxLength: 30,
    });
    fc.assert(
      fc.property(scores, (values) => {
        const order = [...values.keys()].sort((a, b) => values[b]! - values[a]!);
        return order.every((index, place) => rankOf(values, index) === place);
      }),
    );
  });

  test('of equal scores go by order, so that calling all alike is right by chance', () => {
    expect([0, 1, 2, 3].map((target) => rankOf([0.5, 0.5, 0.5, 0.5], target))).toEqual([0, 1, 2, 3]);
  });

  test('are the last where a score is no number', () => {
    expect(rankOf([Number.NaN, 0.1, 0.2], 0)).toBe(2);
    expect(rankOf([Number.NaN, Number.NaN], 0)).toBe(1);
  });

  test('of retrieval equal those of the whole matrix of cosines', () => {
    const pictures = fc.integer({ min: 1, max: 6 });
    const property = fc.property(
      pictures,
      fc.integer({ min: 0, max: 9 }),
      fc.infiniteStream(fc.integer({ min: -2, max: 2 })),
      (count, more, stream) => {
        const next = () => stream.next().value as number;
        const owner = [
          ...Array(count).keys(),
          ...Array.from({ length: more }, () => Math.abs(next()) % count),
        ];
        const rows = (n: number): Embeddings => ({
          data: Float32Array.from({ length: n * 3 }, next),
          shape: [n, 3],
        });
        const images = rows(count);
        const texts = rows(owner.length);
        const score = (i: number, t: number) =>
          [0, 1, 2].reduce((sum, k) => sum + images.data[i * 3 + k]! * texts.data[t * 3 + k]!, 0);
        const { textToImage, imageToText } = retrievalRanks(images, texts, owner);
        owner.forEach((target, t) => {
          expect(textToImage[t]).toBe(
            rankOf(
              [...Array(count).keys()].map((i) => score(i, t)),
              target,
            ),
          );
        });
        for (let i = 0; i < count; i++) {
          const scores = owner.map((_, t) => score(i, t));
          const places = owner.flatMap((target, t) => (target === i ? [rankOf(scores, t)] : []));
          expect(imageToText[i]).toBe(Math.min(...places));
        }
      },
    );
    fc.assert(property);
  });

  test('are refused for texts without pictures and pictures without texts', () => {
    const rows = (n: number, width = 2): Embeddings => ({
      data: new Float32Array(n * width),
      shape: [n, width],
    });
    for (const [images, texts, owner] of [
      [rows(2), rows(2), [0, 0]],
      [rows(2), rows(3), [0, 1]],
      [rows(2), rows(2), [0, 2]],
      [rows(2), rows(2, 3), [0, 1]],
    ] as const) {
      expect(() => retrievalRanks(images, texts, owner)).toThrow(
        expect.objectContaining({ code: 'invalid_option' }),
      );
    }
  });
});

describe('Wilson’s interval', () => {
  // The two roots of (p − x)² = z²·x(1 − x)/n, worked out with 50 digits.
  test.each([
    [0, 10, 0, 0.27753279986288],
    [10, 10, 0.72246720013711, 1],
    [8, 10, 0.49016247153664, 0.94331784854562],
    [1, 1, 0.20654931437723, 1],
    [6000, 10000, 0.59036154373029, 0.60956165659557],
  ])('of %i in %i is [%f, %f]', (successes, trials, lower, upper) => {
    const interval = wilsonInterval(successes, trials);
    expect(interval[0]).toBeCloseTo(lower, 9);
    expect(interval[1]).toBeCloseTo(upper, 9);
  });

  test('holds the share, stays inside 0 and 1, and its ends solve the equation', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 5000 }), fc.nat(), (trials, any) => {
        const successes = any % (trials + 1);
        const share = successes / trials;
        const [lower, upper] = wilsonInterval(successes, trials);
        expect(lower).toBeGreaterThanOrEqual(0);
        expect(upper).toBeLessThanOrEqual(1);
        expect(share).toBeGreaterThanOrEqual(lower);
        expect(share).toBeLessThanOrEqual(upper);
        for (const end of [lower, upper]) {
          expect((share - end) ** 2).toBeCloseTo((1.959963984540054 ** 2 * end * (1 - end)) / trials, 9);
        }
      }),
    );
  });

  test('is refused without trials', () => {
    for (const [successes, trials] of [
      [0, 0],
      [3, 2],
      [-1, 2],
      [0.5, 2],
    ] as const) {
      expect(() => wilsonInterval(successes, trials)).toThrow(/trials/);
    }
  });
});
