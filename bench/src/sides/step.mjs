/** eidos as one side: whole training steps (forward, backward, AdamW), or the bare matrix products of their shapes. */
import { peakMegabytes, serve } from '../contestant.mjs';
import {
  costs,
  derived,
  differentiation,
  engines,
  graphs,
  initialisers,
  losses,
  lowering,
  models,
  operations,
  optimizers,
  stepConfigs,
  updates,
} from '../eidos.mjs';
import {
  embeddingSize,
  learningRate,
  optimiser,
  trainedText,
  trainedVit,
  trainings,
} from '../train-setting.mjs';

/** @typedef {import('../../../src/graph/value.ts').Value} Value @typedef {import('../../../src/engine/engine.ts').RuntimeTensor} RuntimeTensor */

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

/** The contrastive loss of both towers. */
async function lossOf(/** @type {import('../train-setting.mjs').Training} */ { image, batch }) {
  const { imageEncoder, textEncoder, logitParameters } = await models();
  const { contrastiveLoss, similarityLogits } = await losses();
  const { normalize } = await derived();
  const side = image.imageSize;
  const pixels = input('pixels', [batch, 3, side, side]);
  const tokens = input('tokens', [batch, trainedText.contextLength], 'int64');
  /** @type {import('../../../src/models/architecture.ts').ClipArchitecture} */
  const architecture = { embeddingSize, image, text: trainedText, probability: 'softmax', logitBias: false };
  /** @type {Record<string, Value>} */
  const statistics = {};
  const images = imageEncoder(architecture, pixels, {
    onStatistics: (name, next) => {
      statistics[name] = next;
    },
  });
  const texts = textEncoder(architecture, tokens);
  const { scale } = logitParameters(architecture);
  const logits = similarityLogits(normalize(images), normalize(texts), scale);
  return { loss: contrastiveLoss(logits), statistics };
}

async function trainingSteps() {
  const setting = trainings[training];
  if (setting === undefined) throw new Error(`There is no training '${training}'.`);
  const { batch, image } = setting;
  const { parametersOf } = await graphs();
  const { differentiate } = await differentiation();
  const { initialValues } = await initialisers();
  const { updateParameters } = await updates();
  const { stepScalars } = await optimizers();
  const { optimizerSchema } = await stepConfigs();
  const settings = optimizerSchema.parse(optimiser);
  const { loss, statistics } = await lossOf(setting);
  const nodes = parametersOf([loss, ...Object.values(statistics)]);
  const trained = nodes.filter(({ attributes }) => attributes.trainable);
  const values = trained.map(({ outputs }) => /** @type {Value} */ (outputs[0]));
  const gradients = differentiate(loss, values);
  const { results: updated, feedback } = updateParameters(
    trained.map(({ attributes: { name, shape } }, i) => ({
      name,
      shape,
      value: /** @type {Value} */ (values[i]),
      gradient: /** @type {Value} */ (gradients[i]),
    })),
    settings,
  );
  /** @type {Record<string, Value>} */
  const results = { loss };
  // Norms of gradients are for reports; the other side computes none.
  for (const [output] of feedback) results[output] = /** @type {Value} */ (updated[output]);
  for (const [name, next] of Object.entries(statistics)) {
    results[`next:${name}`] = next;
    feedback.push([`next:${name}`, name]);
  }
  const session = await engine.compile(lower(results));
  const byName = new Map(nodes.map((node) => [node.attributes.name, node]));
  await session.setState(
    Object.fromEntries(
      feedback.map(([, name]) => {
        const node = byName.get(name);
        const { shape = [] } = byName.get(name.slice(name.indexOf(':') + 1))?.attributes ?? {};
        const data =
          node === undefined
            ? new Float32Array(shape.reduce((product, size) => product * size, 1))
            : initialValues(node, 1);
        return [name, /** @type {RuntimeTensor} */ ({ type: 'float32', shape, data })];
      }),
    ),
  );
  const side = image.imageSize;
  const length = trainedText.contextLength;
  const pictures = Float32Array.from({ length: batch * 3 * side * side }, () => Math.random() * 2 - 1);
  const words = BigInt64Array.from({ length: batch * length }, () =>
    BigInt(Math.floor(Math.random() * trainedText.vocabularySize)),
  );
  let step = 0;
  return {
    operationsPerRun: floatingPointOperations(Object.values(results)),
    async run() {
      /** @type {Record<string, RuntimeTensor>} */
      const feeds = {
        pixels: { type: 'float32', data: pictures, shape: [batch, 3, side, side] },
        tokens: { type: 'int64', data: words, shape: [batch, length] },
      };
      for (const [name, number] of Object.entries(stepScalars(++step, learningRate, settings))) {
        feeds[name] = { type: 'float32', data: Float32Array.of(number), shape: [] };
      }
      const outputs = await session.run(feeds, { fetches: ['loss'], feedback });
      return Number(outputs.loss?.data[0]);
    },
  };
}

/** The products of the Transformer's blocks one after the other; weights change from step to step, so they are inputs here too. */
async function products() {
  const { width, mlpWidth, imageSize, patchSize, layers: depth } = trainedVit;
  const rows = (trainings.vit?.batch ?? 1) * ((imageSize / patchSize) ** 2 + 1);
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
