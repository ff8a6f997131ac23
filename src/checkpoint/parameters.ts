/** The canonical names and shapes of all parameters of an architecture, whatever layout they were published in. */

import { elementCount } from '../graph/tensor.ts';
import type {
  ClipArchitecture,
  Projection,
  ResNetArchitecture,
  TextArchitecture,
  TransformerArchitecture,
  VitArchitecture,
} from '../models/architecture.ts';

type Shapes = Map<string, number[]>;

/** Canonical name → shape, linear weights as [out, in]. Statistics of batch norms (`running_…`) are included. */
export function canonicalShapes(architecture: ClipArchitecture): Shapes {
  const shapes: Shapes = new Map();
  const { image, text, embeddingSize } = architecture;
  if (image.kind === 'vit') addVit(shapes, image, embeddingSize);
  else addResNet(shapes, image, embeddingSize);
  addText(shapes, text, embeddingSize);
  shapes.set('logit_scale', []);
  if (architecture.logitBias) shapes.set('logit_bias', []);
  return shapes;
}

/** How many numbers training would change: all parameters without the statistics of batch norms. */
export function parameterCount(architecture: ClipArchitecture): number {
  let count = 0;
  for (const [name, shape] of canonicalShapes(architecture)) {
    if (!name.includes('.running_')) count += elementCount(shape);
  }
  return count;
}

/** Positions of the text tower: one more than tokens where a class token follows them. */
export function textPositions(text: TextArchitecture): number {
  return text.contextLength + (text.pool.kind === 'class' ? 1 : 0);
}

/** Tokens of a Vision Transformer: its whole patches, and the class token if it has one. */
export function imageTokens(image: VitArchitecture): number {
  return Math.floor(image.imageSize / image.patchSize) ** 2 + (image.classToken ? 1 : 0);
}

function addVit(shapes: Shapes, vit: VitArchitecture, embeddingSize: number): void {
  const { width, pool } = vit;
  shapes.set('image.patch_embedding.weight', [width, 3 * vit.patchSize ** 2]);
  if (vit.patchBias) shapes.set('image.patch_embedding.bias', [width]);
  if (vit.classToken) shapes.set('image.class_embedding', [width]);
  shapes.set('image.position_embedding', [imageTokens(vit), width]);
  if (vit.normBefore) addNorm(shapes, 'image.norm_before', width);
  addBlocks(shapes, 'image', vit);
  if (pool.kind === 'probe') {
    shapes.set('image.pool.probe', [1, width]);
    addAttention(shapes, 'image.pool.attention', width, width);
    addNorm(shapes, 'image.pool.norm', width);
    addMlp(shapes, 'image.pool.mlp', width, pool.mlpWidth);
  } else if (pool.kind === 'queries') {
    shapes.set('image.pool.queries', [pool.queries, pool.width]);
    addNorm(shapes, 'image.pool.norm_queries', pool.width);
    addNorm(shapes, 'image.pool.norm_keys', width);
    addAttention(shapes, 'image.pool.attention', pool.width, width);
  }
  const pooledWidth = pool.kind === 'queries' ? pool.width : width;
  if (vit.normAfter !== 'none') {
    addNorm(shapes, 'image.norm_after', vit.normAfter === 'pooled' ? pooledWidth : width);
  }
  addProjection(shapes, 'image.projection', vit.projection, embeddingSize, pooledWidth);
}

function addResNet(shapes: Shapes, resnet: ResNetArchitecture, embeddingSize: number): void {
  const { width } = resnet;
  const stem = [
    [width / 2, 3],
    [width / 2, width / 2],
    [width, width / 2],
  ] as const;
  for (const [index, [out, input]] of stem.entries()) {
    shapes.set(`image.stem.conv_${index + 1}.weight`, [out, input, 3, 3]);
    addBatchNorm(shapes, `image.stem.norm_${index + 1}`, out);
  }
  let input = width;
  for (const [stage, blocks] of resnet.layers.entries()) {
    const inner = width * 2 ** stage;
    for (let block = 0; block < blocks; block++) {
      const name = `image.stages.${stage}.${block}`;
      shapes.set(`${name}.conv_1.weight`, [inner, input, 1, 1]);
      addBatchNorm(shapes, `${name}.norm_1`, inner);
      shapes.set(`${name}.conv_2.weight`, [inner, inner, 3, 3]);
      addBatchNorm(shapes, `${name}.norm_2`, inner);
      shapes.set(`${name}.conv_3.weight`, [inner * 4, inner, 1, 1]);
      addBatchNorm(shapes, `${name}.norm_3`, inner * 4);
      if (block === 0) {
        shapes.set(`${name}.downsample.conv.weight`, [inner * 4, input, 1, 1]);
        addBatchNorm(shapes, `${name}.downsample.norm`, inner * 4);
      }
      input = inner * 4;
    }
  }
  shapes.set('image.pool.position_embedding', [(resnet.imageSize / 32) ** 2 + 1, input]);
  for (const part of ['query', 'key', 'value'] as const) {
    addLinear(shapes, `image.pool.attention.${part}`, input, input);
  }
  addLinear(shapes, 'image.pool.attention.output', embeddingSize, input);
}

function addText(shapes: Shapes, text: TextArchitecture, embeddingSize: number): void {
  const { width } = text;
  shapes.set('text.token_embedding', [text.vocabularySize, width]);
  if (text.positions === 'learned') shapes.set('text.position_embedding', [textPositions(text), width]);
  if (text.pool.kind === 'class') shapes.set('text.class_embedding', [1, width]);
  addBlocks(shapes, 'text', text);
  addNorm(shapes, 'text.norm_after', width);
  addProjection(shapes, 'text.projection', text.projection, embeddingSize, width);
}

function addBlocks(
  shapes: Shapes,
  tower: string,
  { layers, width, mlpWidth }: TransformerArchitecture,
): void {
  for (let layer = 0; layer < layers; layer++) {
    const block = `${tower}.blocks.${layer}`;
    addNorm(shapes, `${block}.norm_1`, width);
    addAttention(shapes, `${block}.attention`, width, width);
    addNorm(shapes, `${block}.norm_2`, width);
    addMlp(shapes, `${block}.mlp`, width, mlpWidth);
  }
}

/** Queries of `width`, keys and values from tokens of `keyWidth`. */
function addAttention(shapes: Shapes, name: string, width: number, keyWidth: number): void {
  addLinear(shapes, `${name}.query`, width, width);
  addLinear(shapes, `${name}.key`, width, keyWidth);
  addLinear(shapes, `${name}.value`, width, keyWidth);
  addLinear(shapes, `${name}.output`, width, width);
}

function addMlp(shapes: Shapes, name: string, width: number, inner: number): void {
  addLinear(shapes, `${name}.up`, inner, width);
  addLinear(shapes, `${name}.down`, width, inner);
}

function addProjection(shapes: Shapes, name: string, kind: Projection, out: number, input: number): void {
  if (kind === 'none') return;
  shapes.set(`${name}.weight`, [out, input]);
  if (kind === 'linear_bias') shapes.set(`${name}.bias`, [out]);
}

function addLinear(shapes: Shapes, name: string, out: number, input: number): void {
  shapes.set(`${name}.weight`, [out, input]);
  shapes.set(`${name}.bias`, [out]);
}

function addNorm(shapes: Shapes, name: string, width: number): void {
  shapes.set(`${name}.weight`, [width]);
  shapes.set(`${name}.bias`, [width]);
}

function addBatchNorm(shapes: Shapes, name: string, width: number): void {
  addNorm(shapes, name, width);
  shapes.set(`${name}.running_mean`, [width]);
  shapes.set(`${name}.running_variance`, [width]);
}
