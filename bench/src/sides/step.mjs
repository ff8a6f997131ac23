/** eidos as one side: whole training steps (forward, backward, AdamW), or the bare matrix products of their shapes. */
import { serve } from '../contestant.mjs';
import {
  costs,
  differentiation,
  engines,
  graphs,
  initialisers,
  layers,
  losses,
  lowering,
  operations,
  optimizers,
  visionTransformers,
} from '../eidos.mjs';
import { batch, classes, learningRate, optimiser, trainedVit } from '../train-setting.mjs';

/** @typedef {import('../../../src/graph/value.ts').Value} Value @typedef {import('../../../src/engine/engine.ts').RuntimeTensor} RuntimeTensor */

const { kind, threads } = JSON.parse(process.argv[2] ?? '{}');
const { input, gemm } = await operations();
const { floatingPointOperations } = await costs();
const { lower } = await lowering();
const engine = (await engines()).createEngine({ threads });
const { stepScalars, adamW } = await optimizers();

const { run, operationsPerRun } = kind === 'step' ? await trainingSteps() : await products();
serve(
  async ({ runs }) => {
    let value = 0;
    for (let i = 0; i < runs; i++) value = await run();
    return { operations: operationsPerRun * runs, loss: value };
  },
  () => engine.close(),
);

async function trainingSteps() {
  const { visionTransformer } = await visionTransformers();
  const { linearLayer } = await layers();
  const { crossEntropy } = await losses();
  const { parametersOf } = await graphs();
  const { differentiate } = await differentiation();
  const { initialValues } = await initialisers();
  const side = trainedVit.imageSize;
  const pixels = input('pixels', [batch, 3, side, side]);
  const features = visionTransformer(trainedVit, trainedVit.width, pixels);
  const loss = crossEntropy(linearLayer('head', features, classes), input('targets', [batch, classes]));
  const parameters = parametersOf([loss]);
  const gradients = differentiate(
    loss,
    parameters.map(({ outputs }) => /** @type {Value} */ (outputs[0])),
  );
  const scalars = {
    learningRate: input('learning_rate', []),
    correction1: input('correction_1', []),
    correction2: input('correction_2', []),
  };
  /** @type {Record<string, Value>} */
  const results = { loss };
  /** @type {[string, string][]} */
  const feedback = [];
  /** @type {Record<string, RuntimeTensor>} */
  const state = {};
  parameters.forEach((node, i) => {
    const { name, shape } = node.attributes;
    const names = [name, `mean:${name}`, `square:${name}`];
    const before = {
      value: /** @type {Value} */ (node.outputs[0]),
      mean: input(`mean:${name}`, shape),
      square: input(`square:${name}`, shape),
    };
    const next = adamW(before, /** @type {Value} */ (gradients[i]), scalars, shape.length > 1, optimiser);
    const data = initialValues(node, 1);
    [next.value, next.mean, next.square].forEach((value, at) => {
      const own = /** @type {string} */ (names[at]);
      results[`next:${own}`] = value;
      feedback.push([`next:${own}`, own]);
      state[own] = { type: 'float32', shape, data: at === 0 ? data : new Float32Array(data.length) };
    });
  });
  const session = await engine.compile(lower(results));
  await session.setState(state);
  const targets = new Float32Array(batch * classes);
  for (let row = 0; row < batch; row++) targets[row * classes + (row % classes)] = 1;
  const pictures = Float32Array.from({ length: batch * 3 * side * side }, () => Math.random() * 2 - 1);
  let step = 0;
  return {
    operationsPerRun: floatingPointOperations(Object.values(results)),
    async run() {
      const numbers = stepScalars(++step, learningRate, optimiser);
      /** @type {Record<string, RuntimeTensor>} */
      const feeds = {
        pixels: { type: 'float32', data: pictures, shape: [batch, 3, side, side] },
        targets: { type: 'float32', data: targets, shape: [batch, classes] },
      };
      for (const [name, number] of Object.entries(numbers)) {
        feeds[name] = { type: 'float32', data: Float32Array.of(number), shape: [] };
      }
      const outputs = await session.run(feeds, { fetches: ['loss'], feedback });
      return Number(outputs.loss?.data[0]);
    },
  };
}

/** The products of the blocks one after the other; weights change from step to step, so they are inputs here too. */
async function products() {
  const { width, mlpWidth, imageSize, patchSize, layers: depth } = trainedVit;
  const rows = batch * ((imageSize / patchSize) ** 2 + 1);
  const shapes = { square: [width, width], up: [mlpWidth, width], down: [width, mlpWidth] };
  let x = input('x', [rows, width]);
  const through = (
    /** @type {Value} */ value,
    /** @type {keyof typeof shapes} */ kindOf,
    /** @type {number} */ layer,
    place = '',
  ) =>
    gemm(value, input(`${kindOf}${place}${layer}`, shapes[kindOf]), undefined, {
      transposeB: true,
      scale: 0.05,
    });
  for (let layer = 0; layer < depth; layer++) {
    for (const place of ['q', 'k', 'v', 'o']) x = through(x, 'square', layer, place);
    x = through(through(x, 'up', layer), 'down', layer);
  }
  const program = lower({ result: x });
  const session = await engine.compile(program);
  /** @type {Record<string, RuntimeTensor>} */
  const tensors = {};
  for (const { name, shape } of program.inputs) {
    const length = shape.reduce((/** @type {number} */ product, size) => product * Number(size), 1);
    const data = Float32Array.from({ length }, () => Math.random() * 2 - 1);
    tensors[name] = { type: 'float32', shape: shape.map(Number), data };
  }
  await session.setState(tensors);
  return {
    operationsPerRun: floatingPointOperations([x]),
    async run() {
      await session.run({}, { fetches: ['result'] });
      return 0;
    },
  };
}
