/** eidos as one side: whole training steps (forward, backward, AdamW), or the bare matrix products of their shapes. */
import { peakMegabytes, serve } from '../contestant.mjs';
import { costs, engines, graphs, initialisers, lowering, operations, stepConfigs, steps } from '../eidos.mjs';
import {
  embeddingSize,
  learningRate,
  optimiser,
  trainedText,
  trainedVit,
  trainings,
} from '../train-setting.mjs';

/** @typedef {import('../../../src/graph/value.ts').Value} Value */
/** @typedef {import('../../../src/engine/engine.ts').RuntimeTensor} RuntimeTensor */

/** @type {{ kind: 'step' | 'products', training: string, threads: number }} */
const { kind, training, threads } = JSON.parse(process.argv[2] ?? '{}');
const { input, gemm } = await operations();
const { floatingPointOperations } = await costs();
const { lower } = await lowering();
const engine = (await engines()).createEngine({ threads });

const { run, operationsPerRun } = kind === 'step' ? await trainingSteps() : await products();
serve(
  async ({ runs }) => {
    let value = 0;
    for (let i = 0; i < runs; i++) value = await run();
    return { operations: operationsPerRun * runs, loss: value, peak: await peakMegabytes() };
  },
  () => engine.close(),
);

/** The step that `eidos train` runs. */
async function trainingSteps() {
  const setting = trainings[training];
  if (setting === undefined) throw new Error(`There is no training '${training}'.`);
  const { batch, image } = setting;
  const { trainingStep } = await steps();
  const { optimizerSchema } = await stepConfigs();
  const { initialValues } = await initialisers();
  const { parametersOf } = await graphs();
  const step = trainingStep(
    { embeddingSize, image, text: trainedText, probability: 'softmax', logitBias: false },
    { batch, optimizer: optimizerSchema.parse(optimiser) },
  );
  const { results, feedback } = step;
  const session = await engine.compile(lower(results), { planMemory: false });
  const nodes = new Map(parametersOf(Object.values(results)).map((node) => [node.attributes.name, node]));
  const state = Object.fromEntries(
    feedback.map(([, name]) => {
      const node = nodes.get(name);
      const { shape = [] } = nodes.get(name.slice(name.indexOf(':') + 1))?.attributes ?? {};
      const data =
        node === undefined
          ? new Float32Array(shape.reduce((product, size) => product * size, 1))
          : initialValues(node.attributes, 1);
      return [name, /** @type {RuntimeTensor} */ ({ type: 'float32', shape, data })];
    }),
  );
  await session.setState(state, { transfer: Object.keys(state) });
  const side = Number(image.imageSize);
  const length = trainedText.contextLength;
  const pictures = Float32Array.from({ length: batch * 3 * side * side }, () => Math.random() * 2 - 1);
  const words = BigInt64Array.from({ length: batch * length }, () =>
    BigInt(Math.floor(Math.random() * trainedText.vocabularySize)),
  );
  let number = 0;
  return {
    operationsPerRun: floatingPointOperations(Object.values(results)),
    async run() {
      /** @type {Record<string, RuntimeTensor>} */
      const feeds = {
        pixels: { type: 'float32', data: pictures, shape: [batch, 3, side, side] },
        tokens: { type: 'int64', data: words, shape: [batch, length] },
      };
      Object.assign(feeds, step.inputs({ step: ++number, learningRate, seed: 1 }));
      const outputs = await session.run(feeds, { fetches: ['loss'], feedback });
      return Number(outputs.loss?.data[0]);
    },
  };
}

/** The products of the Transformer's blocks one after the other; weights change from step to step, so they are inputs here too. */
async function products() {
  const { width, mlpWidth, imageSize, patchSize, layers: depth } = trainedVit;
  const rows = (trainings.vit?.batch ?? 1) * ((Number(imageSize) / Number(patchSize)) ** 2 + 1);
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
