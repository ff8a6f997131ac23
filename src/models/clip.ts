/** Both towers of a CLIP, and what compares their embeddings. */
import type { Initialiser } from '../graph/initialise.ts';
import { exp, parameter } from '../graph/operations.ts';
import type { Value } from '../graph/value.ts';
import type { ClipArchitecture } from './architecture.ts';
import type { TowerHooks } from './layers/transformer.ts';
import { averagingText } from './text/averaging.ts';
import { textTransformer } from './text/transformer.ts';

export { type ImageEncoderOptions, imageEncoder } from './image/encoder.ts';

/** Token ids [n, length] → embeddings [n, embeddingSize], not normalised. */
export function textEncoder(
  { text, embeddingSize }: ClipArchitecture,
  ids: Value,
  hooks: TowerHooks = {},
): Value {
  return text.kind === 'averaging'
    ? averagingText(text, embeddingSize, ids, hooks)
    : textTransformer(text, embeddingSize, ids, hooks);
}

/** ln(1/0.07), CLIP's first temperature (Wu et al. 2018). */
const firstLogitScale: Initialiser = { kind: 'constant', value: Math.log(1 / 0.07) };

/** e^logit_scale, by which cosines are multiplied; and the bias that some models add. */
export function logitParameters({ logitBias }: ClipArchitecture): { scale: Value; bias: Value | undefined } {
  return {
    scale: exp(parameter('logit_scale', [], firstLogitScale)),
    bias: logitBias ? parameter('logit_bias', [], { kind: 'constant', value: -10 }) : undefined,
  };
}
