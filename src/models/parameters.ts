/** The parameters of an architecture: they follow from the code of the towers. */
import { symbolic } from '../graph/dimension.ts';
import { input } from '../graph/operations.ts';
import { type NodeOf, parametersOf } from '../graph/value.ts';
import type { ClipArchitecture } from './architecture.ts';
import { imageEncoder, logitParameters, textEncoder } from './clip.ts';

/** Every parameter of both towers and of the logits, in the order in which they are declared. */
export function parametersOfClip(architecture: ClipArchitecture): NodeOf<'parameter'>['attributes'][] {
  const side = architecture.image.imageSize;
  const { scale, bias } = logitParameters(architecture);
  const results = [
    imageEncoder(architecture, input('pixels', [symbolic('n'), 3, side, side])),
    textEncoder(architecture, input('tokens', [symbolic('n'), architecture.text.contextLength], 'int64')),
    scale,
    ...(bias === undefined ? [] : [bias]),
  ];
  return parametersOf(results).map((node) => node.attributes);
}
