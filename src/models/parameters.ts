/** The parameters of an architecture: they follow from the code of the towers. */
import { symbolic } from '../graph/dimension.ts';
import { input } from '../graph/operations.ts';
import { type NodeOf, parametersOf } from '../graph/value.ts';
import type { ClipArchitecture, ImageClassifierArchitecture } from './architecture.ts';
import { imageEncoder, logitParameters, textEncoder } from './clip.ts';
import { imageClassifier } from './image/encoder.ts';
import { pictureShape } from './sides.ts';

/** Every parameter of both towers and of the logits, in the order in which they are declared. */
export function parametersOfClip(architecture: ClipArchitecture): NodeOf<'parameter'>['attributes'][] {
  const { scale, bias } = logitParameters(architecture);
  const results = [
    imageEncoder(architecture, input('pixels', [symbolic('n'), ...pictureShape(architecture.image)])),
    textEncoder(architecture, input('tokens', [symbolic('n'), architecture.text.contextLength], 'int64')),
    scale,
    ...(bias === undefined ? [] : [bias]),
  ];
  return parametersOf(results).map((node) => node.attributes);
}

/** Every parameter of tower and classifier, in the order in which they are declared. */
export function parametersOfImageClassifier(
  architecture: ImageClassifierArchitecture,
): NodeOf<'parameter'>['attributes'][] {
  const logits = imageClassifier(
    architecture,
    input('pixels', [symbolic('n'), ...pictureShape(architecture.image)]),
  );
  return parametersOf([logits]).map((node) => node.attributes);
}
