/** A ConvNeXt-like tower as a graph (Liu et al. 2022): depthwise 7 × 7 convolutions, layer norms, MLPs of four times the width. */
import { initialisers, layers, operations, transformers } from './eidos.mjs';

const { add, conv, multiply, parameter, reduceMean, reshape, transpose } = await operations();
const { linearLayer, normLayer } = await layers();
const { mlp } = await transformers();
const { normal } = await initialisers();

/** @typedef {import('../../src/graph/value.ts').Value} Value */

const epsilon = 1e-6;
/** What the branches are multiplied by at first. */
const firstScale = 1e-6;

/**
 * Pixels [n, 3, side, side] → embeddings [n, embeddingSize], not normalised.
 * @param {import('./train-setting.mjs').ConvNextArchitecture} architecture
 * @param {number} embeddingSize
 * @param {Value} pixels
 */
export function convNext({ imageSize, patchSize, widths, blocks }, embeddingSize, pixels) {
  let maps = { value: pixels, side: imageSize, width: 3 };
  widths.forEach((width, stage) => {
    const name = `image.stages.${stage}`;
    maps = patchLayer(name, maps, stage === 0 ? patchSize : 2, width, stage > 0);
    for (let i = 0; i < (blocks[stage] ?? 0); i++) maps.value = block(`${name}.${i}`, maps);
  });
  const pooled = reduceMean(maps.value, [2, 3]);
  return linearLayer('image.projection', normLayer('image.norm', pooled, epsilon), embeddingSize, {
    bias: false,
  });
}

/** @typedef {{ value: Value, side: number, width: number }} Maps [n, width, side, side] */

/**
 * Patches that do not overlap, as one matrix product; before it or after it a norm over the channels.
 * @param {string} name @param {Maps} maps @param {number} patch @param {number} width @param {boolean} normBefore
 * @returns {Maps}
 */
function patchLayer(name, { value, side: before, width: channels }, patch, width, normBefore) {
  const n = Number(value.shape[0]);
  const side = before / patch;
  const norm = (/** @type {Value} */ rows) => normLayer(`${name}.norm`, rows, epsilon);
  let rows = transpose(value, [0, 2, 3, 1]);
  if (normBefore) rows = norm(rows);
  const cut = transpose(reshape(rows, [n, side, patch, side, patch, channels]), [0, 1, 3, 2, 4, 5]);
  let patches = linearLayer(
    `${name}.patch`,
    reshape(cut, [n * side * side, patch * patch * channels]),
    width,
  );
  if (!normBefore) patches = norm(patches);
  return { value: asMaps(patches, n, side, width), side, width };
}

/** @param {string} name @param {Maps} maps */
function block(name, { value, side, width }) {
  const n = Number(value.shape[0]);
  const kernel = parameter(`${name}.depthwise.weight`, [width, 1, 7, 7], normal(1 / 7));
  const bias = parameter(`${name}.depthwise.bias`, [width], normal(0));
  const mixed = conv(value, kernel, bias, { padding: [3, 3, 3, 3], groups: width });
  const rows = reshape(transpose(mixed, [0, 2, 3, 1]), [n * side * side, width]);
  const branch = mlp(`${name}.mlp`, normLayer(`${name}.norm`, rows, epsilon), 4 * width, 'gelu');
  const scale = parameter(`${name}.scale`, [width], { kind: 'constant', value: firstScale });
  return add(value, asMaps(multiply(branch, scale), n, side, width));
}

/** [n · side · side, width] → [n, width, side, side]. @param {Value} rows @param {number} n @param {number} side @param {number} width */
function asMaps(rows, n, side, width) {
  return transpose(reshape(rows, [n, side, side, width]), [0, 3, 1, 2]);
}
