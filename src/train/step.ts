/** One step of contrastive training as one program: forward, backward and AdamW. */
import { normalize } from '../graph/derived.ts';
import { differentiate } from '../graph/differentiate.ts';
import { add, exp, input, minimum, negate } from '../graph/operations.ts';
import { parametersOf, type Value } from '../graph/value.ts';
import type { ClipArchitecture } from '../models/architecture.ts';
import { imageEncoder, logitParameters, textEncoder } from '../models/clip.ts';
import { contrastiveLoss, sigmoidLoss, similarityLogits } from '../models/losses.ts';
import { type AdamWOptions, adamW, adamWDefaults, clippingFactor, globalNorm } from './optimizer.ts';

export interface TrainingStepOptions extends AdamWOptions {
  /** Pairs in a batch; the program is compiled for this number. */
  batch: number;
  /** Tokens a sentence. @default the context length */
  textLength?: number;
  /** Whether the program reads `targets` [batch, batch], for captions that fit several pictures. @default false */
  targets?: boolean;
  /** Largest logit scale, as its logarithm. @default ln 100 */
  maxLogitScale?: number;
  /**
   * What is minimised besides, from the embeddings [batch, embeddingSize] of unit length; its inputs and parameters
   * become those of the program.
   */
  auxiliaryLoss?: (images: Value, texts: Value) => Value;
}

/** What the program reads and writes. */
export interface TrainingStep {
  /**
   * Results by name: `loss`, `auxiliary_loss` where there is one (part of the loss), `gradient_norm` (before
   * clipping), `temperature` (1 / e^logit_scale, after the step),
   * and `next:NAME`, `next:mean:NAME`, `next:square:NAME` for each parameter.
   *
   * Inputs by name: `pixels` [batch, 3, side, side], `tokens` [batch, length] int64, `targets` where asked for,
   * `learning_rate`, `correction_1`, `correction_2` (see stepScalars), and the state NAME, `mean:NAME`, `square:NAME`.
   */
  results: Record<string, Value>;
  /** The parameters, trainable ones first as they are declared. */
  parameters: { name: string; shape: readonly number[]; value: Value; trainable: boolean }[];
  /** Outputs that become the state of the next step. */
  feedback: [output: string, input: string][];
}

/** Builds the step for an architecture. */
export function trainingStep(architecture: ClipArchitecture, options: TrainingStepOptions): TrainingStep {
  const { batch, textLength = architecture.text.contextLength, maxLogitScale = Math.log(100) } = options;
  const side = architecture.image.imageSize;
  const results: Record<string, Value> = {};
  const feedback: [string, string][] = [];

  const pixels = input('pixels', [batch, 3, side, side]);
  const tokens = input('tokens', [batch, textLength], 'int64');
  const images = normalize(
    imageEncoder(architecture, pixels, {
      onStatistics: (name, next) => {
        results[`next:${name}`] = next;
        feedback.push([`next:${name}`, name]);
      },
    }),
  );
  const texts = normalize(textEncoder(architecture, tokens));
  const { scale, bias } = logitParameters(architecture);
  const logits = similarityLogits(images, texts, scale, bias);
  const targets = options.targets ? input('targets', [batch, batch]) : undefined;
  const contrastive =
    architecture.probability === 'softmax' ? contrastiveLoss(logits, targets) : sigmoidLoss(logits);
  const auxiliary = options.auxiliaryLoss?.(images, texts);
  const loss = auxiliary === undefined ? contrastive : add(contrastive, auxiliary);

  const declared = parametersOf([loss, ...Object.values(results)]);
  const parameters = declared.map((node) => ({ ...node.attributes, value: node.outputs[0]! }));
  const trained = parameters.filter(({ trainable }) => trainable);
  const gradients = differentiate(
    loss,
    trained.map(({ value }) => value),
  );
  const norm = globalNorm(gradients);
  const scalars = {
    learningRate: input('learning_rate', []),
    correction1: input('correction_1', []),
    correction2: input('correction_2', []),
  };
  const clip =
    options.maxGradientNorm === undefined ? undefined : clippingFactor(norm, options.maxGradientNorm);

  trained.forEach(({ name, shape, value }, i) => {
    const moments = { mean: input(`mean:${name}`, shape), square: input(`square:${name}`, shape) };
    const next = adamW({ value, ...moments }, gradients[i]!, scalars, decays(shape), {
      ...options,
      gradientScale: clip,
    });
    results[`next:${name}`] = name === 'logit_scale' ? minimum(next.value, maxLogitScale) : next.value;
    results[`next:mean:${name}`] = next.mean;
    results[`next:square:${name}`] = next.square;
    for (const state of [name, `mean:${name}`, `square:${name}`]) feedback.push([`next:${state}`, state]);
  });
  results.loss = loss;
  if (auxiliary !== undefined) results.auxiliary_loss = auxiliary;
  results.gradient_norm = norm;
  results.temperature = exp(negate(results['next:logit_scale']!));
  return { results, parameters, feedback };
}

/** Weight decay is for matrices; gains, biases, the class token and the scale stay free (Radford et al. 2021, table 19). */
function decays(shape: readonly number[]): boolean {
  return shape.length > 1;
}

/** The numbers that a step needs beside its batch; steps count from 1. */
export function stepScalars(
  step: number,
  learningRate: number,
  { beta1 = adamWDefaults.beta1, beta2 = adamWDefaults.beta2 }: AdamWOptions = {},
): { learning_rate: number; correction_1: number; correction_2: number } {
  return {
    learning_rate: learningRate,
    correction_1: 1 / (1 - beta1 ** step),
    correction_2: 1 / (1 - beta2 ** step),
  };
}
