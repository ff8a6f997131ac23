/** What a checkpoint is: its architecture, where its numbers lie, and how much work it is. */
import { openCheckpoint } from '../../checkpoint/index.ts';
import { floatingPointOperations } from '../../graph/cost.ts';
import { symbolic } from '../../graph/dimension.ts';
import { input } from '../../graph/operations.ts';
import { type DataType, elementCount } from '../../graph/tensor.ts';
import type { ClipArchitecture } from '../../models/architecture.ts';
import { imageEncoder, textEncoder } from '../../models/clip.ts';
import { parametersOfClip } from '../../models/parameters.ts';
import type { ImagePreprocessing } from '../../models/preprocessing.ts';

export interface Inspection {
  layout: string;
  architecture: ClipArchitecture;
  preprocessing: ImagePreprocessing;
  /** Numbers that training changes. */
  parameters: { image: number; text: number; total: number };
  /** Floating-point operations of one picture and of one sentence of full length; a product and a sum are two. */
  operations: { image: number; text: number };
  files: string[];
  fingerprint: string;
  tensors: { name: string; stored: string; type: DataType; shape: number[] }[];
  /** Tensors of the file that the two towers do not need. */
  unused: string[];
}

/** @param path a folder or a weight file */
export async function inspectCheckpoint(path: string): Promise<Inspection> {
  const checkpoint = await openCheckpoint(path);
  const { architecture } = checkpoint;
  return {
    layout: checkpoint.layout,
    architecture,
    preprocessing: checkpoint.preprocessing,
    parameters: countParameters(architecture),
    operations: countOperations(architecture),
    files: checkpoint.files,
    fingerprint: checkpoint.fingerprint,
    tensors: [...checkpoint.parameters].map(([name, { name: stored, type, shape }]) => ({
      name,
      stored,
      type,
      shape,
    })),
    unused: checkpoint.unused,
  };
}

function countParameters(architecture: ClipArchitecture): Inspection['parameters'] {
  const trained = parametersOfClip(architecture).filter(({ trainable }) => trainable);
  const count = (prefix: string): number =>
    trained
      .filter(({ name }) => name.startsWith(prefix))
      .reduce((sum, { shape }) => sum + elementCount(shape), 0);
  return { image: count('image.'), text: count('text.'), total: count('') };
}

function countOperations(architecture: ClipArchitecture): Inspection['operations'] {
  const { image, text } = architecture;
  const pixels = input('pixels', [symbolic('n'), 3, image.imageSize, image.imageSize]);
  const tokens = input('tokens', [symbolic('n'), text.contextLength], 'int64');
  return {
    image: floatingPointOperations([imageEncoder(architecture, pixels)]),
    text: floatingPointOperations([textEncoder(architecture, tokens)]),
  };
}
