/** The built library, as its users run it, with the types of its sources. */
const dist = new URL('../../dist/', import.meta.url);

/** @param {string} file */
const built = (file) => import(new URL(file, dist).href);

/** @returns {Promise<typeof import('../../src/index.ts')>} */
export const library = () => built('index.js');

/** @returns {Promise<typeof import('../../src/tasks/export/export.ts')>} */
export const exporting = () => built('tasks/export/export.js');

/** @returns {Promise<typeof import('../../src/checkpoint/index.ts')>} */
export const checkpoints = () => built('checkpoint/index.js');

/** @returns {Promise<typeof import('../../src/models/parameters.ts')>} */
export const modelParameters = () => built('models/parameters.js');

/** @returns {Promise<typeof import('../../src/models/clip.ts')>} */
export const models = () => built('models/clip.js');

/** @returns {Promise<typeof import('../../src/graph/initialise.ts')>} */
export const initialisers = () => built('graph/initialise.js');

/** @returns {Promise<typeof import('../../src/graph/operations.ts')>} */
export const operations = () => built('graph/operations.js');

/** @returns {Promise<typeof import('../../src/graph/cost.ts')>} */
export const costs = () => built('graph/cost.js');

/** @returns {Promise<typeof import('../../src/engine/compile.ts')>} */
export const compiling = () => built('engine/compile.js');

/** @returns {Promise<typeof import('../../src/engine/engine.ts')>} */
export const engines = () => built('engine/engine.js');

/** @returns {Promise<typeof import('../../src/engine/onnx/lower.ts')>} */
export const lowering = () => built('engine/onnx/lower.js');

/** @returns {Promise<typeof import('../../src/image/pipeline.ts')>} */
export const pipelines = () => built('image/pipeline.js');

/** @returns {Promise<typeof import('../../src/text/train-vocabulary.ts')>} */
export const vocabularies = () => built('text/train-vocabulary.js');

/** @returns {Promise<typeof import('../../src/graph/value.ts')>} */
export const graphs = () => built('graph/value.js');

/** @returns {Promise<typeof import('../../src/train/step/step.ts')>} */
export const steps = () => built('train/step/step.js');

/** @returns {Promise<typeof import('../../src/train/step/config.ts')>} */
export const stepConfigs = () => built('train/step/config.js');

/** @returns {Promise<typeof import('../../src/train/index.ts')>} */
export const training = () => built('train/index.js');

/** The parts of a training that are put together for other engines. */
export const trainings = async () => ({
  .../** @type {typeof import('../../src/train/config.ts')} */ (await built('train/config.js')),
  beginning: /** @type {typeof import('../../src/train/run/beginning.ts')} */ (
    await built('train/run/beginning.js')
  ),
  data: /** @type {typeof import('../../src/train/run/data.ts')} */ (await built('train/run/data.js')),
  measuring: {
    .../** @type {typeof import('../../src/train/run/measuring.ts')} */ (
      await built('train/run/measuring.js')
    ),
    .../** @type {typeof import('../../src/train/run/nearness.ts')} */ (await built('train/run/nearness.js')),
    .../** @type {typeof import('../../src/train/run/classifier.ts')} */ (
      await built('train/run/classifier.js')
    ),
  },
  network: /** @type {typeof import('../../src/train/run/network.ts')} */ (
    await built('train/run/network.js')
  ),
  schedule: /** @type {typeof import('../../src/train/step/schedule.ts')} */ (
    await built('train/step/schedule.js')
  ),
  publishing: /** @type {typeof import('../../src/train/run/publish.ts')} */ (
    await built('train/run/publish.js')
  ),
  saving: {
    .../** @type {typeof import('../../src/train/run/checkpoints.ts')} */ (
      await built('train/run/checkpoints.js')
    ),
    .../** @type {typeof import('../../src/train/run/whole-file.ts')} */ (
      await built('train/run/whole-file.js')
    ),
  },
  places: /** @type {typeof import('../../src/train/run/places.ts')} */ (await built('train/run/places.js')),
  naming: {
    .../** @type {typeof import('../../src/train/run/cached-classes.ts')} */ (
      await built('train/run/cached-classes.js')
    ),
    .../** @type {typeof import('../../src/train/step/objective.ts')} */ (
      await built('train/step/objective.js')
    ),
  },
});

/** @returns {Promise<typeof import('../../src/tasks/search/index.ts')>} */
export const searching = () => built('tasks/search/index.js');

/** @returns {Promise<typeof import('../../src/evaluate/index.ts')>} */
export const evaluation = () => built('evaluate/index.js');

/** What scores vectors, and finds the best of the scores. */
export const scoring = async () => {
  /** @type {[typeof import('../../src/tasks/search/snapshot/scorer.ts'), typeof import('../../src/classifier/best.ts')]} */
  const [scorer, best] = await Promise.all([
    built('tasks/search/snapshot/scorer.js'),
    built('classifier/best.js'),
  ]);
  return { ...scorer, ...best };
};
