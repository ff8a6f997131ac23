/** Gradients of depthwise convolutions are the same whether they are matrix products (small maps) or convolutions. */
import { afterAll, describe, expect, test } from 'vitest';
import { createEngine, type RuntimeTensor } from '../../src/engine/engine.ts';
import { lower } from '../../src/engine/onnx/lower.ts';
import { differentiate } from '../../src/graph/differentiate.ts';
import { randomNumbers } from '../../src/graph/initialise.ts';
import { conv, input, multiply, reduceSum } from '../../src/graph/operations.ts';
import { elementCount } from '../../src/graph/tensor.ts';
import { nodesOf } from '../../src/graph/value.ts';

const engine = createEngine({ threads: 1 });
afterAll(() => engine.close());

const [n, channels, kernelSide, margin] = [3, 4, 7, 3];

describe.each([
  { side: 2, stride: 1, products: true },
  { side: 8, stride: 1, products: true },
  { side: 8, stride: 2, products: true },
  { side: 11, stride: 1, products: false },
])('a map of side $side, stride $stride', ({ side, stride, products }) => {
  test('has the gradients that plain loops say', async () => {
    const after = Math.floor((side + 2 * margin - kernelSide) / stride) + 1;
    const shapes = {
      x: [n, channels, side, side],
      kernel: [channels, 1, kernelSide, kernelSide],
      errors: [n, channels, after, after],
    };
    const [x, kernel, errors] = Object.entries(shapes).map(([name, shape]) => input(name, shape));
    const y = conv(x!, kernel!, undefined, {
      groups: channels,
      strides: [stride, stride],
      padding: [margin, margin, margin, margin],
    });
    expect(y.shape).toEqual(shapes.errors);
    const loss = reduceSum(multiply(y, errors!), [0, 1, 2, 3]);
    const [ofX, ofKernel] = differentiate(loss, [x!, kernel!]);
    const convolutions = nodesOf([ofX!, ofKernel!]).filter((node) => node.operator === 'conv');
    const forward = 1;
    expect(convolutions).toHaveLength(products ? forward : forward + 2);

    const random = randomNumbers(side);
    const feeds: Record<string, RuntimeTensor & { data: Float32Array }> = {};
    for (const [name, shape] of Object.entries(shapes)) {
      const data = Float32Array.from({ length: elementCount(shape) }, () => random() - 0.5);
      feeds[name] = { type: 'float32', data, shape };
    }
    const wanted = slopes(feeds.x!.data, feeds.kernel!.data, feeds.errors!.data, { side, after, stride });
    const session = await engine.compile(lower({ ofX: ofX!, ofKernel: ofKernel! }));
    const computed = await session.run(feeds, { fetches: ['ofX', 'ofKernel'] });
    await session.release();
    expectNear(computed.ofX!, shapes.x, wanted.x);
    expectNear(computed.ofKernel!, shapes.kernel, wanted.kernel);
  });
});

function expectNear({ data, shape }: RuntimeTensor, wantedShape: number[], wanted: Float64Array): void {
  expect(shape).toEqual(wantedShape);
  wanted.forEach((value, i) => {
    expect(Math.abs(Number(data[i]) - value)).toBeLessThan(1e-4);
  });
}

/** Every weight at every place: what it multiplies, and where that goes. */
function slopes(
  x: Float32Array,
  kernel: Float32Array,
  errors: Float32Array,
  { side, after, stride }: { side: number; after: number; stride: number },
): { x: Float64Array; kernel: Float64Array } {
  const result = { x: new Float64Array(x.length), kernel: new Float64Array(kernel.length) };
  for (let at = 0; at < errors.length; at++) {
    const column = at % after;
    const row = Math.floor(at / after) % after;
    const map = Math.floor(at / after ** 2);
    for (let tap = 0; tap < kernelSide ** 2; tap++) {
      const from = row * stride - margin + Math.floor(tap / kernelSide);
      const left = column * stride - margin + (tap % kernelSide);
      if (from < 0 || from >= side || left < 0 || left >= side) continue;
      const source = (map * side + from) * side + left;
      const weight = (map % channels) * kernelSide ** 2 + tap;
      result.x[source]! += errors[at]! * kernel[weight]!;
      result.kernel[weight]! += errors[at]! * x[source]!;
    }
  }
  return result;
}
