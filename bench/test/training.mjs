/** A training in onnxruntime, to be compared with. */
import { engines, graphs, initialisers } from '../src/eidos.mjs';

/** @typedef {import('../../src/engine/engine.ts').RuntimeTensor} RuntimeTensor */

/**
 * First values of the parameters of a step, zeros for moments, and averages that begin where parameters do.
 * @param {import('../../src/train/step/step.ts').TrainingStep} step
 */
export async function firstState(step) {
  const { initialValues } = await initialisers();
  const { parametersOf } = await graphs();
  /** @type {Record<string, RuntimeTensor>} */
  const state = {};
  for (const node of parametersOf(Object.values(step.results))) {
    const { name, shape } = node.attributes;
    const data = initialValues(node.attributes, 3);
    state[name] = { type: 'float32', data, shape };
    for (const kind of ['mean', 'square', 'ema']) {
      if (!step.feedback.some(([, input]) => input === `${kind}:${name}`)) continue;
      const first = kind === 'ema' ? data.slice() : new Float32Array(data.length);
      state[`${kind}:${name}`] = { type: 'float32', data: first, shape };
    }
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
