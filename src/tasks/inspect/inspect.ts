/** What a checkpoint is: its architecture, where its numbers lie, and how much work it is. */
import { isClip, openAnyCheckpoint } from '../../checkpoint/index.ts';
import { floatingPointOperations } from '../../graph/cost.ts';
import { symbolic } from '../../graph/dimension.ts';
import { input } from '../../graph/operations.ts';
import { type DataType, elementCount } from '../../graph/tensor.ts';
import type { Value } from '../../graph/value.ts';
import type {
  ClipArchitecture,
  ImageArchitecture,
  ImageClassifierArchitecture,
} from '../../models/architecture.ts';
import { imageEncoder, textEncoder } from '../../models/clip.ts';
import { imageClassifier } from '../../models/image/encoder.ts';
import { parametersOfClip, parametersOfImageClassifier } from '../../models/parameters.ts';
import type { ImagePreprocessing } from '../../models/preprocessing.ts';
import { pictureShape } from '../../models/sides.ts';

export interface Inspection extends InspectedFiles {
  architecture: ClipArchitecture;
  /** Numbers that training changes. */
  parameters: { image: number; text: number; total: number };
  /** Floating-point operations of one picture and of one sentence of full length; a product and a sum are two. */
  operations: { image: number; text: number };
}

/** An image net without words, with which an image tower can begin. */
export interface ImageClassifierInspection extends InspectedFiles {
  architecture: ImageClassifierArchitecture;
  parameters: { image: number; classifier: number; total: number };
  /** Floating-point operations of one picture, the classifier included. */
  operations: { image: number };
}

interface InspectedFiles {
  layout: string;
  preprocessing: ImagePreprocessing;
  files: string[];
  fingerprint: string;
  tensors: { name: string; stored: string; type: DataType; shape: number[] }[];
  /** Tensors of the file that the two towers do not need. */
  unused: string[];
}

/** @param path a folder or a weight file */
export async function inspectCheckpoint(path: string): Promise<Inspection | ImageClassifierInspection> {
  const checkpoint = await openAnyCheckpoint(path);
  const opened = {
    preprocessing: checkpoint.preprocessing,
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
  if (isClip(checkpoint)) {
    const { layout, architecture } = checkpoint;
    const count = counter(parametersOfClip(architecture));
    return {
      layout,
      architecture,
      parameters: { image: count('image.'), text: count('text.'), total: count('') },
      operations: operationsOf(architecture),
      ...opened,
    };
  }
  const { layout, architecture } = checkpoint;
  const count = counter(parametersOfImageClassifier(architecture));
  const [total, classifier] = [count(''), count('image.classifier.')];
  return {
    layout,
    architecture,
    parameters: { image: total - classifier, classifier, total },
    operations: {
      image: floatingPointOperations([imageClassifier(architecture, pixelsOf(architecture.image))]),
    },
    ...opened,
  };
}

/** How many numbers training changes in parameters whose names begin so. */
function counter(
  parameters: readonly { name: string; shape: readonly number[]; trainable: boolean }[],
): (prefix: string) => number {
  return (prefix) =>
    parameters
      .filter(({ name, trainable }) => trainable && name.startsWith(prefix))
      .reduce((sum, { shape }) => sum + elementCount(shape), 0);
}

function pixelsOf(image: ImageArchitecture): Value {
  return input('pixels', [symbolic('n'), ...pictureShape(image)]);
}

/** Floating-point operations of one picture and of one sentence of full length. */
export function operationsOf(architecture: ClipArchitecture): Inspection['operations'] {
  const { image, text } = architecture;
  const pixels = pixelsOf(image);
  const tokens = input('tokens', [symbolic('n'), text.contextLength], 'int64');
  return {
    image: floatingPointOperations([imageEncoder(architecture, pixels)]),
    text: floatingPointOperations([textEncoder(architecture, tokens)]),
  };
}
