/** A training in onnxruntime, to be compared with. */
import { engines, graphs, initialisers } from '../src/eidos.mjs';

/** @typedef {import('../../src/engine/engine.ts').RuntimeTensor} RuntimeTensor */

/**
 * First values of the parameters of a step, and moments of zero.
 * @param {import('../../src/train/step.ts').TrainingStep} step
 */
export async function firstState(step) {
  const { initialValues } = await initialisers();
  const { parametersOf } = await graphs();
  const nodes = new Map(
    parametersOf(Object.values(step.results)).map((node) => [node.attributes.name, node]),
  );
  /** @type {Record<string, RuntimeTensor>} */
  const state = {};
  for (const [, name] of step.feedback) {
    const node = nodes.get(name);
    const shape = nodes.get(name.slice(name.indexOf(':') + 1))?.attributes.shape ?? [];
    const data =
      node === undefined
        ? new Float32Array(shape.reduce((product, size) => product * size, 1))
        : initialValues(node, 3);
    state[name] = { type: 'float32', data, shape };
  }
  return state;
}

/**
 * The losses and gradient norms of a step for each batch after the other.
 * @param {{
 *   program: import('../../src/engine/onnx/lower.ts').Program,
 *   step: { feedback: [string, string][] },
 *   state: Record<string, RuntimeTensor>,
 *   batches: Record<string, RuntimeTensor>[],
 *   numbers: Record<string, Float32Array>,
 * }} training
 */
export async function lossesHere({ program, step, state, batches, numbers }) {
  const engine = (await engines()).createEngine({ threads: 1 });
  try {
    const session = await engine.compile(program);
    await session.setState(state);
    const lines = [];
    for (const [i, batch] of batches.entries()) {
      const feeds = { ...batch };
      for (const [name, series] of Object.entries(numbers)) {
        feeds[name] = { type: 'float32', data: series.slice(i, i + 1), shape: [] };
      }
      const outputs = await session.run(feeds, {
        fetches: ['loss', 'gradient_norm'],
        feedback: step.feedback,
      });
      lines.push({
        loss: Number(outputs.loss?.data[0]),
        gradient_norm: Number(outputs.gradient_norm?.data[0]),
      });
    }
    return lines;
  } finally {
    await engine.close();
  }
}
