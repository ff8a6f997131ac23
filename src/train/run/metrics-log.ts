/** `metrics.jsonl`: a training in figures, an object a line. */
import { type FileHandle, open, readFile } from 'node:fs/promises';
import type { Measurement } from '../../evaluate/index.ts';
import type { EnergyUse } from './energy.ts';
import { writeWholeFile, writing } from './whole-file.ts';

/** Figures of some steps: means over them, but for what is said of the last one. */
export interface StepLine {
  kind: 'step';
  /** The last of the steps. */
  step: number;
  /** Minutes of training so far. */
  minutes: number;
  /** Steps of the line. */
  steps: number;
  /** The whole loss. */
  loss: number;
  /** Its parts by name, and whatever else the training step tells. */
  parts: Record<string, number>;
  /** The norm of all gradients together, before clipping. */
  gradientNorm: number;
  /** 1 / e^logit_scale, after the last step. */
  temperature?: number;
  /** Of the last step. */
  learningRate: number;
  picturesPerSecond: number;
  /** Sentences without pictures, where a part of the loss reads any. */
  sentencesPerSecond?: number;
  /** Share of the time in which the network waited for data. */
  waiting: number;
}

export interface EvaluationLine {
  kind: 'evaluation';
  step: number;
  minutes: number;
  measurements: Measurement[];
  /** By what the best checkpoint is chosen: the mean of each set's first figure. */
  score: number;
}

export interface EnergyLine extends EnergyUse {
  kind: 'energy';
  step: number;
  minutes: number;
}

export type LogLine = StepLine | EvaluationLine | EnergyLine;

export interface MetricsLog {
  readonly lines: readonly LogLine[];
  /** @throws EidosError `write_failed` */
  append(line: LogLine): Promise<void>;
  close(): Promise<void>;
}

/**
 * Opens a log. Lines after the step that a training goes on from are taken away: they will be written again.
 * @param fromStep 0 for a new training
 * @throws EidosError `write_failed`
 */
export async function openMetricsLog(path: string, fromStep: number): Promise<MetricsLog> {
  const lines = fromStep === 0 ? [] : (await readMetricsLog(path)).filter(({ step }) => step <= fromStep);
  await writeWholeFile(path, lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
  const handle: FileHandle = await writing(path, () => open(path, 'a'));
  return {
    lines,
    async append(line) {
      lines.push(line);
      await writing(path, () => handle.appendFile(`${JSON.stringify(line)}\n`));
    },
    close: () => handle.close(),
  };
}

/** The lines of a log; one that was cut off when its process was killed is left out. */
export async function readMetricsLog(path: string): Promise<LogLine[]> {
  const text = await readFile(path, 'utf8').catch(() => '');
  return text.split('\n').flatMap((line) => {
    try {
      return [JSON.parse(line) as LogLine];
    } catch {
      return [];
    }
  });
}
