/** Whether a training that ended has learned anything: told from the figures of its last steps. */
import type { LogLine } from './metrics-log.ts';

/** The contrastive loss of a model that takes every pair of a batch for equally likely is ln(batch). */
const nearChance = 0.01;

/**
 * Why nothing was learned, and what to do; undefined where something was, or no contrastive loss tells.
 * The other bound of the temperature, 0.01, is where published models end and fine-tunings begin: it tells nothing.
 * @param batch pictures of a step
 */
export function nothingLearned(lines: readonly LogLine[], batch: number): string | undefined {
  const last = lines.findLast((line) => line.kind === 'step');
  const loss = last?.parts.contrastive;
  if (last === undefined || loss === undefined || batch < 2) return undefined;
  const chance = Math.log(batch);
  const signs = [
    ...(Math.abs(loss - chance) <= nearChance
      ? [`the loss ends at ${loss.toFixed(3)}, which is ln(${batch}), that of guessing`]
      : []),
    ...((last.temperature ?? 0) >= 0.9999 ? ['the temperature ends at its bound, 1'] : []),
  ];
  if (signs.length === 0) return undefined;
  return `Nothing was learned: ${signs.join(', and ')}. Lower "optimizer.learningRate" (now ${last.learningRate}), or train longer if it had only begun.`;
}
