import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { randomNumbers } from '../../../src/graph/initialise.ts';
import { clipPreprocessing } from '../../../src/models/preprocessing.ts';
import { trainBytePairVocabulary } from '../../../src/text/train-vocabulary.ts';
import { kindsOfImageNet } from '../../../src/train/data/kinds.ts';
import { randomView, resizeView, writeRandomView } from '../../../src/train/first-model/data/augment.ts';
import { matchingTargets, trainingBatches } from '../../../src/train/first-model/data/batches.ts';
import { captionOf, type Description, keysOf } from '../../../src/train/first-model/data/captions.ts';
import type { TrainingSource } from '../../../src/train/first-model/data/sources.ts';
import { featureCount, meanFeatures } from '../../../src/train/first-model/data/teacher.ts';

const dog: Description = {
  kind: 'class',
  concepts: [
    { key: 'chihuahua', en: ['Chihuahua'], de: ['Chihuahua'] },
    { key: 'dog', en: ['dog', 'hound'], de: ['Hund'] },
  ],
  features: ['large ears'],
  sentences: ['It is small.'],
};
const sentences: Description = {
  kind: 'sentences',
  key: 'x/1',
  en: ['A man runs .'],
  de: ['Ein Mann läuft.'],
};
const preprocessing = { ...clipPreprocessing, size: 12 };

describe('captions', () => {
  test('speak of something that the picture shows, in its words', () => {
    fc.assert(
      fc.property(fc.integer(), fc.constantFrom(dog, sentences), (seed, description) => {
        const { text, key } = captionOf(description, randomNumbers(seed));
        expect(keysOf(description)).toContain(key);
        const words = {
          chihuahua: /Chihuahua|It is small/,
          dog: /dog|hound|Hund/,
          'x/1': /^(A man runs .|Ein Mann läuft.)$/,
        };
        expect(text).toMatch(words[key as keyof typeof words]);
      }),
    );
  });

  test('keep to the shares asked for', () => {
    const random = randomNumbers(1);
    const draw = (options: Parameters<typeof captionOf>[2]) =>
      Array.from({ length: 300 }, () => captionOf(dog, random, options));
    expect(draw({ kinds: 0 }).every(({ key }) => key === 'chihuahua')).toBe(true);
    expect(draw({ kinds: 1 }).every(({ key }) => key === 'dog')).toBe(true);
    expect(draw({ kinds: 1, german: 1 }).every(({ text }) => text.includes('Hund'))).toBe(true);
    expect(draw({ kinds: 1, german: 0 }).some(({ text }) => text.includes('Hund'))).toBe(false);
    expect(
      draw({ kinds: 0, german: 0, descriptions: 0 }).some(({ text }) => /ears|small\.$/.test(text)),
    ).toBe(false);
  });

  test('kinds of ImageNet classes', () => {
    const words = (index: number): string[] => kindsOfImageNet(index).flatMap(({ en }) => en);
    expect(words(151)).toEqual(['dog']);
    expect(words(268)).toEqual(['dog']);
    expect(words(281)).toEqual(['cat']);
    expect(words(404)).toContain('airplane');
    expect(words(398)).toEqual([]);
  });
});

describe('views', () => {
  test('lie inside the picture and keep the area asked for', () => {
    fc.assert(
      fc.property(fc.integer(), fc.integer({ min: 8, max: 300 }), (seed, side) => {
        const { left, top, width, height } = randomView(side, randomNumbers(seed), [0.5, 0.75]);
        expect(left).toBeGreaterThanOrEqual(0);
        expect(top).toBeGreaterThanOrEqual(0);
        expect(left + width).toBeLessThanOrEqual(side + 1e-9);
        expect(top + height).toBeLessThanOrEqual(side + 1e-9);
        expect(width * height).toBeLessThanOrEqual(0.75 * side * side + 1e-6);
        expect(width * height).toBeGreaterThan(0.4 * side * side);
      }),
    );
  });

  const whole = { left: 0, top: 0, width: 5, height: 5, mirrored: false };
  const picture = Uint8Array.from({ length: 75 }, (_, i) => (i * 37) % 256);

  test('of the whole at the same size change nothing, mirrored ones reverse the rows', () => {
    expect([...resizeView(picture, 5, whole, 5)]).toEqual([...picture]);
    const mirrored = resizeView(picture, 5, { ...whole, mirrored: true }, 5);
    for (let y = 0; y < 5; y++) {
      for (let x = 0; x < 5; x++)
        expect(mirrored[(y * 5 + x) * 3 + 1]).toBe(picture[(y * 5 + 4 - x) * 3 + 1]);
    }
  });

  test('of half the side are that part, and shrinking averages', () => {
    const part = resizeView(picture, 5, { left: 1, top: 2, width: 2, height: 2, mirrored: false }, 2);
    expect(part[0]).toBe(picture[(2 * 5 + 1) * 3]);
    expect(part[9]).toBe(picture[(3 * 5 + 2) * 3]);
    const stripes = Uint8Array.from({ length: 8 * 8 * 3 }, (_, i) => (Math.floor(i / 3) % 2 === 0 ? 0 : 200));
    const small = resizeView(stripes, 8, { left: 0, top: 0, width: 8, height: 8, mirrored: false }, 2);
    // At the border the edge's colour counts once more.
    for (const value of small) expect(Math.abs(value - 100)).toBeLessThan(20);
  });

  test('of one colour stay of that colour, normalised', () => {
    const pictures = { side: 9, count: 2, data: new Uint8Array(2 * 9 * 9 * 3).fill(90, 9 * 9 * 3) };
    const target = new Float32Array(2 * 3 * 144).fill(7);
    fc.assert(
      fc.property(fc.integer(), (seed) => {
        writeRandomView(pictures, 1, preprocessing, randomNumbers(seed), target, 3 * 144, {
          colour: 0,
          grey: 0.5,
        });
        for (let channel = 0; channel < 3; channel++) {
          const wanted = (90 / 255 - preprocessing.mean[channel]!) / preprocessing.deviation[channel]!;
          for (let i = 0; i < 144; i++) {
            expect(Math.abs(target[(3 + channel) * 144 + i]! - wanted)).toBeLessThan(1e-4);
          }
        }
      }),
      { numRuns: 20 },
    );
    expect(target.subarray(0, 3 * 144).every((value) => value === 7)).toBe(true);
  });

  test('stay within black and white whatever the colours become', () => {
    const pictures = { side: 5, count: 1, data: picture };
    const target = new Float32Array(3 * 144);
    const { mean, deviation } = preprocessing;
    fc.assert(
      fc.property(fc.integer(), (seed) => {
        writeRandomView(pictures, 0, preprocessing, randomNumbers(seed), target, 0, { colour: 0.9 });
        for (let channel = 0; channel < 3; channel++) {
          for (const value of target.subarray(channel * 144, (channel + 1) * 144)) {
            const shade = value * deviation[channel]! + mean[channel]!;
            expect(shade).toBeGreaterThan(-1e-5);
            expect(shade).toBeLessThan(1 + 1e-5);
          }
        }
      }),
      { numRuns: 30 },
    );
  });
});

describe('targets', () => {
  const caption = (key: string) => ({ text: key, key });

  test('are the diagonal where every caption is of its own', () => {
    const keys = ['a', 'b', 'c'];
    expect([
      ...matchingTargets(
        keys.map((key) => [key]),
        keys.map(caption),
      ),
    ]).toEqual([1, 0, 0, 0, 1, 0, 0, 0, 1]);
  });

  test('share equally between pictures of one class', () => {
    const targets = matchingTargets([['cat'], ['cat'], ['dog']], ['cat', 'cat', 'dog'].map(caption));
    expect([...targets]).toEqual([0.5, 0.5, 0, 0.5, 0.5, 0, 0, 0, 1]);
  });

  test('have rows and columns that sum to one, and nothing where a caption does not fit', () => {
    const classes = [
      ['cat', 'animal'],
      ['dog', 'animal'],
      ['car', 'vehicle'],
      ['bus', 'vehicle'],
    ];
    fc.assert(
      fc.property(
        fc.array(fc.record({ of: fc.nat(3), says: fc.nat(1) }), { minLength: 1, maxLength: 20 }),
        (rows) => {
          const shown = rows.map(({ of }) => classes[of]!);
          const keys = rows.map(({ of, says }) => classes[of]![says]!);
          const targets = matchingTargets(shown, keys.map(caption));
          const n = rows.length;
          for (let i = 0; i < n; i++) {
            let [row, column] = [0, 0];
            for (let j = 0; j < n; j++) {
              row += targets[i * n + j]!;
              column += targets[j * n + i]!;
              expect(targets[i * n + j]! > 0).toBe(shown[i]!.includes(keys[j]!));
            }
            expect(Math.abs(row - 1)).toBeLessThan(1e-5);
            // Captions of kinds make the sums of columns converge slowly; they need not be exact.
            expect(Math.abs(column - 1)).toBeLessThan(0.35);
          }
        },
      ),
    );
  });
});

describe('batches', () => {
  const { tokenizer } = trainBytePairVocabulary(['a photo of a dog'], { size: 520, contextLength: 10 });
  const source = (name: string, shade: number, description: Description): TrainingSource => ({
    name,
    pictures: { side: 6, count: 3, data: new Uint8Array(3 * 6 * 6 * 3).fill(shade) },
    descriptions: [description, description, description],
    rows: [0, 1, 2],
  });
  const sources = [source('dogs', 10, dog), source('men', 240, sentences)];
  const make = (seed: number, shares: Record<string, number>) =>
    trainingBatches(sources, preprocessing, tokenizer, randomNumbers(seed), { size: 8, shares });

  test('have the shapes of the training step and are the same for the same seed', () => {
    const first = make(3, { dogs: 1, men: 1 }).next().value;
    expect(first.pixels.data.length).toBe(8 * 3 * 144);
    expect(first.tokens.data.length).toBe(8 * 10);
    expect(first.targets.data.length).toBe(64);
    expect(make(3, { dogs: 1, men: 1 }).next().value).toEqual(first);
    expect(make(4, { dogs: 1, men: 1 }).next().value).not.toEqual(first);
  });

  test('carry what a teacher sees, less the mean and of unit length', () => {
    const taught = sources.map((one, at) => ({
      ...one,
      features: new Uint8Array(3 * featureCount).map((_, i) => (i % featureCount === at ? 200 : 100)),
    }));
    const { features } = trainingBatches(taught, preprocessing, tokenizer, randomNumbers(3), {
      size: 2,
      shares: { dogs: 1, men: 1e-9 },
    }).next().value;
    // Half of the pictures have 200 at 0, the others at 1: ±50 about the mean at these two, 0 elsewhere.
    expect(features?.shape).toEqual([2, featureCount]);
    expect(Number(features?.data[0])).toBeCloseTo(Math.SQRT1_2, 5);
    expect(Number(features?.data[1])).toBeCloseTo(-Math.SQRT1_2, 5);
    expect(Number(features?.data[featureCount + 2])).toBe(0);
    expect(meanFeatures([taught[0]!, sources[1]!])).toBeUndefined();
  });

  test('draw from each set as often as asked', () => {
    const dark = (shares: Record<string, number>): number => {
      const batches = make(5, shares);
      let count = 0;
      for (let round = 0; round < 50; round++) {
        const { pixels } = batches.next().value;
        for (let i = 0; i < 8; i++) if (Number(pixels.data[i * 3 * 144]) < 0) count++;
      }
      return count / 400;
    };
    expect(dark({ dogs: 1 })).toBe(1);
    expect(dark({ men: 1 })).toBe(0);
    expect(Math.abs(dark({ dogs: 3, men: 1 }) - 0.75)).toBeLessThan(0.08);
  });
});
