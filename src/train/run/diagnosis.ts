/** What is told of a training whose loss is no number any more. */
import { EidosError } from '../../errors.ts';
import type { StepFigures } from './network.ts';

/** Whether loss and gradients are numbers. */
export function isFiniteStep({ loss, gradientNorm }: StepFigures): boolean {
  return Number.isFinite(loss) && Number.isFinite(gradientNorm);
}

export interface Divergence {
  step: number;
  figures: StepFigures;
  /** Of the step before, whose gradients were still numbers. */
  before: StepFigures | undefined;
  /** Names of the batch's samples. */
  samples: readonly string[];
  /** The newest checkpoint, if there is one. */
  checkpoint: string | undefined;
}

/** The error that ends the training. */
export function divergenceError({ step, figures, before, samples, checkpoint }: Divergence): EidosError {
  const { loss, gradientNorm, gradientNorms } = figures;
  const broken = gradientNorms.filter(({ norm }) => !Number.isFinite(norm)).map(({ name }) => name);
  const finite = broken.length < gradientNorms.length ? figures : before;
  const largest = [...(finite?.gradientNorms ?? [])]
    .filter(({ norm }) => Number.isFinite(norm))
    .sort((a, b) => b.norm - a.norm)
    .slice(0, 3)
    .map(({ name, norm }) => `${name} (norm ${norm.toPrecision(3)})`);
  const sentences = [
    `The loss of step ${step} is ${loss} and the norm of its gradients ${gradientNorm}: the training cannot go on.`,
    samples.length > 0 ? `Its batch: ${listed(samples, 8)}.` : '',
    broken.length === 0
      ? ''
      : `Gradients without a number: ${broken.length === gradientNorms.length ? 'all' : listed(broken, 3)}.`,
    largest.length === 0
      ? ''
      : `The largest ${finite === figures ? 'others' : 'of the step before'}: ${largest.join(', ')}.`,
    checkpoint === undefined
      ? 'There is no checkpoint yet.'
      : `The last good checkpoint is ${checkpoint}. If the gradients have grown, lower "optimizer.learningRate" or set "optimizer.maxGradientNorm" in another training with it as "initialise.from"; if the batch is to blame, mend it and go on with --resume.`,
  ];
  return new EidosError('not_finite', sentences.filter((sentence) => sentence !== '').join(' '));
}

function listed(names: readonly string[], most: number): string {
  const more = names.length - most;
  return more > 0 ? `${names.slice(0, most).join(', ')} and ${more} more` : names.join(', ');
}
