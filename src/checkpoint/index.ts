/** Weights in and out: what the other rooms use of this one. */
export {
  type Checkpoint,
  type ImageClassifier,
  isClip,
  openAnyCheckpoint,
  openCheckpoint,
} from './checkpoint.ts';
export { huggingFaceConfig, preprocessorConfig } from './configuration/write-hugging-face-config.ts';
export { resolveModel } from './hub/resolve.ts';
export type { DownloadProgress, HubOptions } from './hub/settings.ts';
export { bindParameters, type ParameterValue, publishParameters } from './layouts/bind.ts';
export type { Configurations } from './layouts/layout.ts';
export { architectureFromShapes, layouts } from './layouts/table.ts';
export { toFloat16, toFloat32 } from './numbers.ts';
export { canonicalShapes, parameterCount } from './parameters.ts';
export { parameterShape, readBytes, readParameter, readTensor, sliceRows } from './tensors.ts';
export { findUnsoundNumber, type UnsoundNumber } from './unsound.ts';
export { openWeights } from './weights.ts';
export { writeHuggingFace, writeModel } from './write-model.ts';
export { writeSafetensors } from './write-safetensors.ts';
