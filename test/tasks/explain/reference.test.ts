/** Relevance and rollout beside the original PyTorch code's; attributions beside their own definitions. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Clip, loadClip } from '../../../src/index.ts';
import { pictureShape } from '../../../src/models/sides.ts';
import { gradientPrograms } from '../../../src/tasks/explain/gradients.ts';
import { type ExplanationMethod, methods, type Question } from '../../../src/tasks/explain/methods.ts';
import { sharedFixtures } from '../../fixtures.ts';
import { fixture, readFixtureTensors } from '../../parity/fixture-files.ts';

describe.skipIf(sharedFixtures === undefined)('a Vision Transformer of the fixtures', () => {
  let clip: Clip;
  let pictures: Float32Array;
  let texts: Float32Array;
  let truth: Awaited<ReturnType<typeof readFixtureTensors>>;

  beforeAll(async () => {
    clip = await loadClip(fixture('vit-tiny/model.safetensors'));
    const inputs = await readFixtureTensors('vit-tiny/inputs.safetensors');
    const { data, shape } = inputs.get('tokens')!;
    const ids = BigInt64Array.from(Array.from(data), BigInt);
    texts = (await clip.embedTokens({ data: ids, shape: [...shape] })).data;
    pictures = Float32Array.from(inputs.get('pixels')!.data);
    truth = await readFixtureTensors('explanations/relevance.safetensors');
  });
  afterAll(() => clip.close());

  function question(picture: number, text: number): Question {
    const [, height = 0, width = 0] = pictureShape(clip.config.architecture.image);
    const size = clip.embeddingSize;
    const length = 3 * height * width;
    const direction = texts.slice(text * size, (text + 1) * size);
    return {
      image: clip.config.architecture.image,
      pixels: pictures.slice(picture * length, (picture + 1) * length),
      height,
      width,
      direction,
      programs: gradientPrograms(clip, clip.logitScale),
      async score(data, count) {
        const rows = (await clip.embedPixels({ data, shape: [count, 3, height, width] })).data;
        return Float32Array.from({ length: count }, (_, row) =>
          direction.reduce((sum, value, i) => sum + value * rows[row * size + i]!, 0),
        );
      },
      seed: 1,
    };
  }

  test.each([
    [0, 0],
    [0, 3],
    [2, 1],
  ])('relevance of picture %i and text %i', async (picture, text) => {
    const { values, rows, columns } = await methods.relevance.cells(question(picture, text));
    const { data, shape } = truth.get(`picture${picture}.all_layers.image_relevance`)!;
    const wanted = Array.from(data).slice(text * shape[1]!, (text + 1) * shape[1]!);
    expect(rows * columns).toBe(wanted.length);
    const largest = Math.max(...wanted.map(Math.abs));
    values.forEach((value, at) => {
      expect(Math.abs(value - wanted[at]!) / largest).toBeLessThan(1e-5);
    });
  });

  test.each([0, 2])('rollout of picture %i', async (picture) => {
    const { values } = await methods.rollout.cells(question(picture, 0));
    const { data, shape } = truth.get(`picture${picture}.rollout.image`)!;
    const wanted = Array.from(data).slice(1, shape[2]!);
    values.forEach((value, at) => {
      expect(value).toBeCloseTo(wanted[at]!, 5);
    });
  });

  test('integrated gradients add up to the change from the mean colour', async () => {
    const asked = question(0, 0);
    const { values, completeness } = await methods.integrated_gradients.cells(asked);
    const both = new Float32Array(2 * asked.pixels.length);
    both.set(asked.pixels, asked.pixels.length);
    const [before, after] = await asked.score(both, 2);
    const change = clip.logitScale * (after! - before!);
    const sum = values.reduce((total, value) => total + value, 0);
    expect(Math.abs(sum - change)).toBeLessThan(0.02 * Math.max(1, Math.abs(change)));
    expect(completeness).toBeCloseTo(Math.abs(sum - change), 3);
  });

  test('occlusion is what a loop over squares finds', async () => {
    const asked = question(2, 2);
    const { values, rows, columns } = await methods.occlusion.cells(asked);
    const [whole] = await asked.score(asked.pixels, 1);
    for (const [row, column] of [
      [0, 0],
      [4, 7],
      [rows - 1, columns - 1],
    ] as const) {
      const covered = asked.pixels.slice();
      const edge = (at: number, of: number, side: number) =>
        Math.round((Math.min(of, Math.max(0, at)) / of) * side);
      for (let channel = 0; channel < 3; channel++)
        for (let y = edge(row - 0.5, rows, asked.height); y < edge(row + 1.5, rows, asked.height); y++)
          for (
            let x = edge(column - 0.5, columns, asked.width);
            x < edge(column + 1.5, columns, asked.width);
            x++
          )
            covered[(channel * asked.height + y) * asked.width + x] = 0;
      const [score] = await asked.score(covered, 1);
      expect(values[row * columns + column]).toBeCloseTo(whole! - score!, 5);
    }
  });

  test('RISE follows from its seed', async () => {
    const maps = await Promise.all([0, 0].map(() => methods.rise.cells(question(0, 1))));
    expect(maps[0]!.values).toEqual(maps[1]!.values);
  });

  test('every tower has a method, and Grad-CAM is none of a Vision Transformer', () => {
    const { image } = clip.config.architecture;
    const suitable = (Object.keys(methods) as ExplanationMethod[]).filter((name) =>
      methods[name].suits(image),
    );
    expect(suitable).toEqual(['relevance', 'rollout', 'integrated_gradients', 'occlusion', 'rise']);
  });
});
