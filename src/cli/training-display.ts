/** A training as people watch it: a bar where there is a terminal, a line now and then where there is none. */
import { describeUnread } from '../image/unread.ts';
import {
  duration,
  type MeasuringResult,
  measurementName,
  speeds,
  type TrainingEvent,
  type TrainingResult,
} from '../train/index.ts';

export interface TrainingDisplay {
  show(event: TrainingEvent): void;
  /** A line among the others. */
  note(message: string): void;
  stop(): void;
}

/** Milliseconds between two lines of figures where nobody looks at a terminal. */
const linePause = 5000;

/** Everything goes to standard error. */
export async function trainingDisplay({
  quiet,
  json,
}: {
  quiet?: boolean;
  json?: boolean;
}): Promise<TrainingDisplay> {
  if (quiet || json) return { show: () => undefined, note: () => undefined, stop: () => undefined };
  const bar = process.stderr.isTTY ? await progressBar() : undefined;
  const print = (text: string): void => {
    bar?.hide();
    process.stderr.write(`${text}\n`);
  };
  let last = Number.NEGATIVE_INFINITY;
  const isDue = (): boolean => {
    if (bar === undefined && performance.now() - last < linePause) return false;
    last = performance.now();
    return true;
  };
  return {
    note: print,
    stop: () => bar?.hide(),
    show(event) {
      switch (event.kind) {
        case 'config':
          return print(JSON.stringify(event.config, undefined, 2));
        case 'preparing': {
          const { what, done = 0, total = 0 } = event;
          const pace = paceWords(event);
          if (bar !== undefined) bar.show(`${what}${pace}`, done, total);
          else if (done === total || isDue()) print(`${what}: ${done} of ${total}${pace}`);
          return;
        }
        case 'begun':
          last = Number.NEGATIVE_INFINITY;
          return print([...event.facts, `Curves: ${event.report}`].join('\n'));
        case 'step': {
          const line = stepWords(event);
          if (bar !== undefined) bar.show(line, Math.round(1000 * event.done), 1000);
          else if (isDue() || event.done >= 1) print(line);
          return;
        }
        case 'evaluation': {
          const figures = event.measurements.map(
            (one) => `${measurementName(one)} ${(100 * one.value).toFixed(1)} %`,
          );
          return print(`step ${event.step}: ${figures.join(', ')}${event.isBest ? ' (best so far)' : ''}`);
        }
        case 'checkpoint':
          return;
        case 'warning':
          return print(event.message);
      }
    },
  };
}

function paceWords({
  picturesPerSecond: pace = 0,
  minutesLeft,
}: {
  picturesPerSecond?: number;
  minutesLeft?: number;
}): string {
  if (minutesLeft === undefined || !Number.isFinite(minutesLeft)) return '';
  return `  ${pace.toFixed(pace < 10 ? 1 : 0)} pictures/s  ${duration(minutesLeft)} left`;
}

function stepWords(event: Extract<TrainingEvent, { kind: 'step' }>): string {
  const { step, loss, temperature, waiting, minutesLeft } = event;
  return [
    `step ${step}`,
    `loss ${loss.toFixed(3)}`,
    ...(temperature === undefined ? [] : [`temperature ${temperature.toFixed(4)}`]),
    speeds(event, (speed) => speed.toFixed(speed < 10 ? 1 : 0)),
    `${(100 * waiting).toFixed(0)} % waiting`,
    `${duration(minutesLeft)} left`,
  ].join('  ');
}

/** What is said once features alone have been measured. */
export function measuringWords({ pictures, views, width, folder, broken }: MeasuringResult): string {
  return [
    `Features of ${pictures.toLocaleString('en')} pictures are there, ${views} views of each, ${width} numbers a view.`,
    `Kept in ${folder}`,
    ...brokenWords(broken),
  ].join('\n');
}

function brokenWords({ count, examples }: TrainingResult['broken']): string[] {
  return count === 0 ? [] : [`${count} broken samples left out: ${examples.join('; ')}`];
}

/** What is said at the end. */
export function closingWords({
  ended,
  step,
  minutes,
  model,
  report,
  energy,
  broken,
  notRead,
  bestStep,
  nothingLearned,
}: TrainingResult): string {
  const { kilowattHours, gramsCarbonDioxide, basis } = energy;
  return [
    ended === 'done'
      ? `Trained ${step} steps in ${duration(minutes)}.`
      : `Stopped and saved at step ${step}; --resume goes on.`,
    ...(nothingLearned === undefined ? [] : [nothingLearned]),
    `Model: ${model}${bestStep === undefined ? '' : ` (of step ${bestStep}, the best)`}`,
    `Report: ${report}`,
    `Energy: ${kilowattHours.toPrecision(3)} kWh, ${gramsCarbonDioxide.toPrecision(3)} g CO₂e (${basis})`,
    ...brokenWords(broken),
    ...[describeUnread(notRead) ?? []].flat(),
  ].join('\n');
}

async function progressBar() {
  const { SingleBar, Presets } = await import('cli-progress');
  const bar = new SingleBar(
    { format: '{bar} {words}', hideCursor: true, clearOnComplete: true, stopOnComplete: false, barsize: 20 },
    Presets.shades_classic,
  );
  let isShown = false;
  return {
    show(words: string, done: number, total: number): void {
      if (!isShown) bar.start(total, done, { words });
      isShown = true;
      bar.setTotal(total);
      bar.update(done, { words });
    },
    hide(): void {
      if (isShown) bar.stop();
      isShown = false;
    },
  };
}
