/** Runs a checkpoint as its users would (any batch) and as training would (loss, gradients), keeping what is inside. */
import type { Checkpoint } from '../../src/checkpoint/index.ts';
import { layouts } from '../../src/checkpoint/index.ts';
import { shapeTable } from '../../src/checkpoint/layouts/shape-table.ts';
import { normalizeRows } from '../../src/clip/embeddings.ts';
import { createEncoders } from '../../src/clip/encoders.ts';
import type { LoadMode } from '../../src/engine/engine.ts';
import { normalize } from '../../src/graph/derived.ts';
import { differentiate } from '../../src/graph/differentiate.ts';
import { input } from '../../src/graph/operations.ts';
import { elementCount, type FloatTensor } from '../../src/graph/tensor.ts';
import { parametersOf, type Value } from '../../src/graph/value.ts';
import { imageEncoder, logitParameters, textEncoder } from '../../src/models/clip.ts';
import { contrastiveLoss, sigmoidLoss, similarityLogits } from '../../src/models/losses.ts';
import type { Numbers } from './check.ts';
import { evaluate, floats, integers, parityEngine } from './engine.ts';

export interface Inputs {
  /** [n, 3, side, side], normalised. */
  pixels: Numbers;
  /** [n, length]. */
  tokens: Numbers;
}

/** What the encoders that users get make of pictures and sentences: compiled for a batch of any size. */
export async function embed(
  { architecture, parameters }: Checkpoint,
  { pixels, tokens }: Inputs,
  load: LoadMode = 'fast-run',
): Promise<Record<string, Numbers>> {
  const encoders = createEncoders(parityEngine(), architecture, parameters, {
    model: 'the reference',
    load,
  });
  const image = await encoders.encodePixels(Float32Array.from(pixels.data), pixels.shape[0]!);
  const text = await encoders.encodeTokens(
    BigInt64Array.from(Array.from(tokens.data), BigInt),
    tokens.shape[1]!,
  );
  const normalised = ({ data, shape }: FloatTensor): Numbers => normalizeRows({ data: data.slice(), shape });
  return {
    image_embeddings: image,
    image_embeddings_normalized: normalised(image),
    text_embeddings: text,
    text_embeddings_normalized: normalised(text),
  };
}

export interface TrainingPass {
  logits: Numbers;
  loss: Numbers;
  /** Values inside the towers by the names that the towers give them; tokens as [n · tokens, width]. */
  watched: Map<string, Numbers>;
  /** Of the loss, by the published names of the parameters and in their published shapes. */
  gradients: Map<string, Numbers>;
  /** Running statistics of batch norms after the step, by published names; empty in evaluation mode. */
  statistics: Map<string, Numbers>;
}

export interface TrainingPassOptions {
  /** Whether gradients are computed; without them the program is a smaller one. @default true */
  gradients?: boolean;
  /** Whether batch norms use the statistics of the batch. */
  batchStatistics?: boolean;
}

/** Loss and gradients of one batch, without an optimiser. */
export async function trainingPass(
  checkpoint: Checkpoint,
  { pixels, tokens }: Inputs,
  { gradients: backward = true, batchStatistics = false }: TrainingPassOptions = {},
): Promise<TrainingPass> {
  const { architecture, parameters: weights } = checkpoint;
  const inside: Record<string, Value> = {};
  const statistics: Record<string, Value> = {};
  const watch = (name: string, value: Value): Value => {
    inside[`watched:${name}`] = value;
    return value;
  };
  const onStatistics = (name: string, next: Value): void => {
    statistics[`statistics:${name}`] = next;
  };
  const images = imageEncoder(architecture, input('pixels', pixels.shape), {
    watch,
    onStatistics: batchStatistics ? () => onStatistics : undefined,
  });
  const texts = textEncoder(architecture, input('tokens', tokens.shape, 'int64'), { watch });
  const { scale, bias } = logitParameters(architecture);
  const logits = similarityLogits(normalize(images), normalize(texts), scale, bias);
  const loss = architecture.probability === 'softmax' ? contrastiveLoss(logits) : sigmoidLoss(logits);
  const trained = backward ? parametersOf([loss]).filter(({ attributes }) => attributes.trainable) : [];
  const gradients = differentiate(
    loss,
    trained.map(({ outputs }) => outputs[0]!),
  );
  const named = trained.map(({ attributes }, i) => [`gradient:${attributes.name}`, gradients[i]!]);
  const results = await evaluate(
    { logits, loss, ...inside, ...statistics, ...Object.fromEntries(named) },
    { pixels: floats(pixels), tokens: integers(tokens) },
    { weights },
  );
  return {
    logits: results.logits!,
    loss: results.loss!,
    watched: withPrefix(results, 'watched:'),
    gradients: publishedArrays(checkpoint, withPrefix(results, 'gradient:')),
    statistics: publishedArrays(checkpoint, withPrefix(results, 'statistics:')),
  };
}

function withPrefix(results: Readonly<Record<string, Numbers>>, prefix: string): Map<string, Numbers> {
  return new Map(
    Object.entries(results)
      .filter(([name]) => name.startsWith(prefix))
      .map(([name, numbers]) => [name.slice(prefix.length), numbers]),
  );
}

/**
 * Arrays of parameters under their published names: the checkpoint's layout run backwards, so that thirds of a fused
 * matrix come together and turned projections are turned back. Shapes are flat where the layout only reshapes.
 */
export function publishedArrays(
  { layout, architecture, parameters }: Checkpoint,
  arrays: ReadonlyMap<string, Numbers>,
): Map<string, Numbers> {
  const shapes = new Map([...parameters.values()].map(({ name, shape }) => [name, shape]));
  const places = layouts[layout].published(architecture, shapeTable(shapes));
  const parts = new Map<string, { index: number; data: number[] }[]>();
  for (const [name, { data, shape }] of arrays) {
    const place = places.get(name)!;
    const found = parts.get(place.from) ?? [];
    const values = place.transposed ? turn(data, shape) : Array.from(data);
    found.push({ index: place.part?.[0] ?? 0, data: values });
    parts.set(place.from, found);
  }
  const result = new Map<string, Numbers>();
  for (const [name, found] of parts) {
    found.sort((a, b) => a.index - b.index);
    const data = found.flatMap((part) => part.data);
    result.set(name, { data, shape: [data.length] });
  }
  return result;
}

/** A [rows, columns] matrix as [columns, rows]. */
function turn(data: ArrayLike<number>, shape: readonly number[]): number[] {
  const [rows, columns] = shape as [number, number];
  return Array.from(
    { length: elementCount(shape) },
    (_, at) => data[(at % rows) * columns + Math.floor(at / rows)]!,
  );
}
