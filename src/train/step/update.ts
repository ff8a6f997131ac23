/** From gradients to the next parameters: clipping, AdamW, decay by layers, the clamped temperature, the average. */
import { add, exp, input, maximum, minimum, multiply, negate, subtract } from '../../graph/operations.ts';
import type { Value } from '../../graph/value.ts';
import type { OptimizerConfig } from './config.ts';
import { layerFactors } from './layer-decay.ts';
import { adamW, clippingFactor, gradientNorms } from './optimizer.ts';

/** A parameter that a step moves. */
export interface TrainedParameter {
  name: string;
  shape: readonly number[];
  value: Value;
  gradient: Value;
}

export interface Updates {
  /**
   * `gradient_norm` of all gradients together before clipping, `gradient_norms` [trained] of each, and the next state:
   * `next:NAME`, `next:mean:NAME`, `next:square:NAME`, and `next:ema:NAME` where an average is kept.
   */
  results: Record<string, Value>;
  /** Outputs that become the state of the next step. */
  feedback: [output: string, input: string][];
}

/**
 * Reads the inputs `learning_rate`, `correction_1`, `correction_2` and, for an average, `ema_decay`.
 * @param names of all parameters, where some are frozen: their blocks count for the decay by layers, too
 */
export function updateParameters(
  trained: readonly TrainedParameter[],
  optimizer: OptimizerConfig,
  names: readonly string[] = trained.map(({ name }) => name),
): Updates {
  const results: Record<string, Value> = {};
  const feedback: [string, string][] = [];
  const keep = (state: string, value: Value): void => {
    results[`next:${state}`] = value;
    feedback.push([`next:${state}`, state]);
  };
  const norms = gradientNorms(trained.map(({ gradient }) => gradient));
  const { maxGradientNorm, averaging } = optimizer;
  const gradientScale =
    maxGradientNorm === undefined ? undefined : clippingFactor(norms.all, maxGradientNorm);
  const learningRate = input('learning_rate', []);
  const corrections = { correction1: input('correction_1', []), correction2: input('correction_2', []) };
  const averagingDecay = averaging === undefined ? undefined : input('ema_decay', []);
  const factors = layerFactors(names, optimizer.layerDecay);

  for (const { name, shape, value, gradient } of trained) {
    const moments = { mean: input(`mean:${name}`, shape), square: input(`square:${name}`, shape) };
    const factor = factors.get(name)!;
    const rate = factor === 1 ? learningRate : multiply(learningRate, factor);
    const scalars = { learningRate: rate, ...corrections };
    const next = adamW({ value, ...moments }, gradient, scalars, decays(shape), {
      ...optimizer,
      gradientScale,
    });
    const clamped = name === 'logit_scale' ? clamp(next.value, optimizer.maxLogitScale) : next.value;
    keep(name, clamped);
    keep(`mean:${name}`, next.mean);
    keep(`square:${name}`, next.square);
    if (averagingDecay !== undefined) {
      const before = multiply(input(`ema:${name}`, shape), averagingDecay);
      keep(`ema:${name}`, add(before, multiply(clamped, subtract(1, averagingDecay))));
    }
  }
  return { results: { ...results, gradient_norm: norms.all, gradient_norms: norms.each }, feedback };
}

/** Weight decay is for matrices; gains, biases, the class token and the scale stay free (Radford et al. 2021, section 2.5). */
function decays(shape: readonly number[]): boolean {
  return shape.length > 1;
}

/** The logarithm of a scale between 1 and the largest (Radford et al. 2021, section 2.5). */
function clamp(logitScale: Value, largest: number): Value {
  return minimum(maximum(logitScale, 0), Math.log(largest));
}

/** 1 / e^logit_scale, as the reports show it. */
export function temperatureOf(logitScale: Value): Value {
  return exp(negate(logitScale));
}

/** The decay of an average that follows quickly at first, when the parameters still run away from it. */
export function averagingDecay(step: number, { averaging }: OptimizerConfig): number {
  return averaging === undefined ? 0 : Math.min(averaging.decay, (1 + step) / (10 + step));
}
