/** Weights in and out: what the other rooms use of this one. */
export { type Checkpoint, openCheckpoint } from './checkpoint.ts';
export type { WeightFormat, Weights } from './formats/format.ts';
export { resolveModel } from './hub/resolve.ts';
export type { DownloadProgress, HubOptions } from './hub/settings.ts';
export { bindParameters, type ParameterValue, publishParameters } from './layouts/bind.ts';
export type { Configurations, Layout, LayoutName, LayoutOptions } from './layouts/layout.ts';
export { architectureFromShapes, layouts, type Recognised } from './layouts/table.ts';
export { toFloat16, toFloat32 } from './numbers.ts';
export { canonicalShapes, imageTokens, parameterCount, textPositions } from './parameters.ts';
export {
  type BoundTensor,
  readBytes,
  readParameter,
  readTensor,
  type StoredTensor,
  type TensorLocation,
} from './tensors.ts';
export { openWeights } from './weights.ts';
export {
  type HuggingFaceFiles,
  huggingFaceConfig,
  huggingFaceTensors,
  preprocessorConfig,
  writeHuggingFace,
} from './write-hugging-face.ts';
export { type TensorEntry, writeSafetensors } from './write-safetensors.ts';
