/** The image tower of ViT-B/32, or the matrix products of its shapes and nothing else. */
import { availableParallelism } from 'node:os';
import { serve } from '../contestant.mjs';
import { checkpoints, compiling, costs, engines, models, operations } from '../eidos.mjs';

const { model, kind, batch } = JSON.parse(process.argv[2] ?? '{}');
const { openCheckpoint } = await checkpoints();
const { createEngine } = await engines();
const { compileGraph } = await compiling();
const { gemm, input, parameter, add, slice } = await operations();
const { imageEncoder } = await models();
const { floatingPointOperations } = await costs();

const { architecture, parameters } = await openCheckpoint(model);
if (architecture.image.kind !== 'vit') throw new Error('the tower is a Vision Transformer');
const { width, layers, mlpWidth } = architecture.image;
const [patchSize, imageSize] = [Number(architecture.image.patchSize), Number(architecture.image.imageSize)];
const patches = (imageSize / patchSize) ** 2;

/** The tower's own weights, one product after the other: numbers of the same size, the same memory to walk through. */
function products() {
  const weight = (/** @type {string} */ name, /** @type {number[]} */ shape) =>
    parameter(name, shape, { kind: 'constant', value: 0 });
  const through = (
    /** @type {import('../../../src/graph/value.ts').Value} */ value,
    /** @type {string} */ name,
    /** @type {number} */ out,
    /** @type {number} */ from,
  ) => gemm(value, weight(`image.blocks.${name}.weight`, [out, from]), undefined, { transposeB: true });
  const cut = input('pixels', [batch * patches, 3 * patchSize ** 2]);
  const embedded = gemm(cut, weight('image.patch_embedding.weight', [width, 3 * patchSize ** 2]), undefined, {
    transposeB: true,
  });
  let x = input('tokens', [batch * (patches + 1), width]);
  for (let layer = 0; layer < layers; layer++) {
    for (const name of ['query', 'key', 'value', 'output'])
      x = through(x, `${layer}.attention.${name}`, width, width);
    x = through(through(x, `${layer}.mlp.up`, mlpWidth, width), `${layer}.mlp.down`, width, mlpWidth);
  }
  return add(slice(embedded, 0, 0, 1), slice(x, 0, 0, 1));
}

const result =
  kind === 'tower'
    ? imageEncoder(architecture, input('pixels', [batch, 3, imageSize, imageSize]))
    : products();
const engine = createEngine({ threads: availableParallelism() });
const session = await compileGraph(engine, { result }, parameters);
const operationsPerRun = floatingPointOperations([result]);

/** @param {number[]} shape */
const random = (shape) => ({
  type: /** @type {const} */ ('float32'),
  shape,
  data: Float32Array.from({ length: shape.reduce((a, b) => a * b) }, () => Math.random() - 0.5),
});
/** @type {Record<string, import('../../../src/engine/engine.ts').RuntimeTensor>} */
const feeds =
  kind === 'tower'
    ? { pixels: random([batch, 3, imageSize, imageSize]) }
    : {
        pixels: random([batch * patches, 3 * patchSize ** 2]),
        tokens: random([batch * (patches + 1), width]),
      };

serve(
  async ({ runs }) => {
    for (let run = 0; run < runs; run++) await session.run(feeds, { fetches: ['result'] });
    return operationsPerRun * runs;
  },
  () => engine.close(),
);
