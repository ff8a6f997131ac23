/** What every weight format is read into. */
import type { StoredTensor } from '../../graph/tensor.ts';

export type WeightFormat = 'safetensors' | 'torch' | 'torch_legacy' | 'torchscript';

/** The tensors of a weight file (or of all its shards) under the names that the file gives them. */
export interface Weights {
  format: WeightFormat;
  /** Real paths of all files that hold numbers. */
  files: string[];
  tensors: Map<string, StoredTensor>;
  /** Text, numbers and switches stored beside the tensors, as text. */
  metadata: Record<string, string>;
}
