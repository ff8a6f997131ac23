/** How the learning rate goes over a training. */
import type { OptimizerConfig, ScheduleConfig } from './config.ts';

/** When a training ends; the schedule is stretched over it. */
export type Until = { steps: number } | { minutes: number };

/** Where a training stands: the step that comes, from 1, and the minutes behind it. */
export interface Standing {
  step: number;
  minutes: number;
}

/**
 * The rate of a step: rises in a line over the warm-up, then follows the schedule to the end. By steps the schedule
 * begins after the warm-up; by time it begins at once, as nobody knows before how long the warm-up will take.
 */
export function learningRateAt(
  { learningRate, schedule }: Pick<OptimizerConfig, 'learningRate' | 'schedule'>,
  { step, minutes }: Standing,
  until: Until,
): number {
  const { warmupSteps } = schedule;
  const warmth = warmupSteps === 0 ? 1 : Math.min(1, step / warmupSteps);
  const done =
    'steps' in until
      ? (step - 1 - warmupSteps) / Math.max(1, until.steps - warmupSteps)
      : minutes / until.minutes;
  return learningRate * warmth * shape(schedule, Math.min(1, Math.max(0, done)));
}

/** The schedule's height where `done` of it is behind, both from 0 to 1. */
function shape(schedule: ScheduleConfig, done: number): number {
  switch (schedule.kind) {
    case 'constant':
      return 1;
    case 'cosine':
      return schedule.end + (1 - schedule.end) * 0.5 * (1 + Math.cos(Math.PI * done));
    case 'cooldown':
      return 1 - (1 - schedule.end) * Math.max(0, 1 - (1 - done) / schedule.share);
  }
}
