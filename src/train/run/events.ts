/** What a training tells while it runs, for whoever shows it. */
import type { TrainingConfig } from '../config.ts';
import type { EvaluationLine, StepLine } from './metrics-log.ts';

export type TrainingEvent =
  /** The configuration in full, before anything is done. */
  | { kind: 'config'; config: TrainingConfig }
  /** Something long that comes before the first step. */
  | {
      kind: 'preparing';
      what: string;
      done?: number;
      total?: number;
      picturesPerSecond?: number;
      minutesLeft?: number;
    }
  /** Everything is ready; `facts` are lines for people. */
  | { kind: 'begun'; step: number; facts: readonly string[]; report: string }
  | (StepLine & {
      /** How much of the training is behind, from 0 to 1. */
      done: number;
      /** Minutes until the end at the present pace. */
      minutesLeft: number;
    })
  | (EvaluationLine & { isBest: boolean })
  | { kind: 'checkpoint'; step: number; path: string }
  | { kind: 'warning'; message: string };
