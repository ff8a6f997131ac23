/** What training may do to the towers: look at some patches only, and weigh branches. */
import { afterAll, describe, expect, test } from 'vitest';
import { createEngine, type RuntimeTensor } from '../../src/engine/engine.ts';
import { differentiate } from '../../src/graph/differentiate.ts';
import { initialValues, randomNumbers } from '../../src/graph/initialise.ts';
import { input, multiply, reduceSum } from '../../src/graph/operations.ts';
import { parametersOf, type Value } from '../../src/graph/value.ts';
import type { VitArchitecture } from '../../src/models/architecture.ts';
import { imageEncoder } from '../../src/models/image/encoder.ts';
import type { VitOptions } from '../../src/models/image/vit.ts';
import type { Operand } from '../graph/cases.ts';
import type { Doubles } from '../graph/reference.ts';
import { expectClose, run } from '../graph/run.ts';

const engine = createEngine({ threads: 1 });
afterAll(() => engine.close());

const architecture: VitArchitecture = {
  kind: 'vit',
  imageSize: 8,
  patchSize: 4,
  width: 8,
  layers: 2,
  heads: 2,
  mlpWidth: 16,
  activation: 'quick_gelu',
  normEpsilon: 1e-5,
  patchBias: true,
  classToken: true,
  normBefore: true,
  normAfter: 'pooled',
  pool: { kind: 'class' },
  projection: 'linear',
};
const withoutClass: VitArchitecture = {
  ...architecture,
  classToken: false,
  normBefore: false,
  pool: { kind: 'average' },
};

function pictures(changed?: { row: number; column: number }): number[] {
  const random = randomNumbers(4);
  const data = Array.from({ length: 2 * 3 * 64 }, () => 2 * random() - 1);
  if (changed !== undefined) data[changed.row * 8 + changed.column] = 5;
  return data;
}

/** Results of a graph of two pictures, with first values for its parameters. */
function compute(results: Value[], pixels: readonly number[], kept?: readonly number[]) {
  const feeds: Record<string, Operand> = {
    pixels: { type: 'float32', shape: [2, 3, 8, 8], data: Float64Array.from(pixels) },
  };
  if (kept !== undefined) {
    feeds.kept_patches = { type: 'int64', shape: [2, kept.length / 2], data: Float64Array.from(kept) };
  }
  for (const node of parametersOf(results)) {
    const { name, shape } = node.attributes;
    feeds[name] = {
      type: 'float32',
      shape: [...shape],
      data: Float64Array.from(initialValues(node.attributes, 2)),
    };
  }
  return run(engine, results, feeds);
}

function doubles({ shape, data }: RuntimeTensor): Doubles {
  return { shape, data: Float64Array.from(data, Number) };
}

function embed(tower: VitArchitecture, options: VitOptions = {}): Value {
  return imageEncoder({ image: tower, embeddingSize: 4 }, input('pixels', [2, 3, 8, 8]), options);
}

const choice = (count: number): VitOptions => ({ keptPatches: input('kept_patches', [2, count], 'int64') });

describe.each([
  { name: 'with a class token', tower: architecture },
  { name: 'without one', tower: withoutClass },
])('chosen patches, $name', ({ tower }) => {
  test('are all the picture if all are chosen, in any order', async () => {
    const [whole] = await compute([embed(tower)], pictures());
    const [all] = await compute([embed(tower, choice(4))], pictures(), [0, 1, 2, 3, 0, 1, 2, 3]);
    const [mixed] = await compute([embed(tower, choice(4))], pictures(), [2, 0, 3, 1, 3, 2, 1, 0]);
    expectClose(all!, doubles(whole!), 1e-5);
    expectClose(mixed!, doubles(whole!), 1e-5);
  });

  test('are all that is seen', async () => {
    const chosen = [1, 2, 0, 3];
    const some = embed(tower, choice(2));
    const [before] = await compute([some], pictures(), chosen);
    // In the first picture patch 0, at the top left, is left out, and patch 1, beside it, is seen.
    const [unseen] = await compute([some], pictures({ row: 0, column: 0 }), chosen);
    const [seen] = await compute([some], pictures({ row: 0, column: 5 }), chosen);
    expect(unseen!.data).toEqual(before!.data);
    expect(seen!.data.slice(0, 4)).not.toEqual(before!.data.slice(0, 4));
    expect(seen!.data.slice(4)).toEqual(before!.data.slice(4));
  });

  test('alone move the table of positions', async () => {
    const some = embed(tower, choice(1));
    const loss = reduceSum(multiply(some, some), [0, 1]);
    const table = parametersOf([loss]).find(
      ({ attributes }) => attributes.name === 'image.position_embedding',
    )!;
    const [gradient] = await compute(differentiate(loss, table.outputs), pictures(), [1, 3]);
    const first = tower.classToken ? 1 : 0;
    const moved = Array.from({ length: 4 }, (_, patch) =>
      Array.from(gradient!.data as Float32Array)
        .slice((patch + first) * 8, (patch + first + 1) * 8)
        .some((value) => value !== 0),
    );
    expect(moved).toEqual([false, true, false, true]);
  });
});

test('branches are named, and what a hook makes of them is what is added', async () => {
  const names: string[] = [];
  const silent = embed(architecture, {
    branch: (name, value) => {
      names.push(name);
      return multiply(value, 0);
    },
  });
  expect(names).toEqual([
    'image.blocks.0.attention',
    'image.blocks.0.mlp',
    'image.blocks.1.attention',
    'image.blocks.1.mlp',
  ]);
  const [without] = await compute([embed({ ...architecture, layers: 0 })], pictures());
  const [silenced] = await compute([silent], pictures());
  expectClose(silenced!, doubles(without!), 1e-6);
});
