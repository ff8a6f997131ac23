/** The report of a training: one HTML file without any other, renewed while it runs. */
import type { Measurement } from '../../evaluate/index.ts';
import { escapeHtml } from '../../text/html.ts';
import type { EvaluationLine, LogLine, StepLine } from './metrics-log.ts';
import { plot, plotStyle, type Series, shortNumber } from './plot.ts';

export interface ReportFacts {
  /** What the training is called: the name of its folder. */
  name: string;
  /** The configuration in full, as JSON. */
  config: string;
  /** What is trained on and with what, a line each. */
  summary: readonly string[];
  /** `running`, `done`, `stopped`, or what went wrong. */
  state: string;
  /** Where the training stands. */
  at: { step: number; minutes: number };
  /** The step of the best checkpoint. */
  best?: number | undefined;
  /** Seconds after which a page that is looked at loads itself anew; never where the training has ended. */
  reloadSeconds?: number;
}

/** The whole page. */
export function htmlReport(lines: readonly LogLine[], facts: ReportFacts): string {
  const steps = lines.filter((line) => line.kind === 'step');
  const evaluations = lines.filter((line) => line.kind === 'evaluation');
  const reload =
    facts.reloadSeconds === undefined ? '' : `<meta http-equiv="refresh" content="${facts.reloadSeconds}">`;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
${reload}
<title>${escapeHtml(facts.name)}: training</title>
<style>
:root { color-scheme: light dark; }
body { max-width: 46rem; margin: 2rem auto; padding: 0 1rem; font: 16px/1.5 system-ui, sans-serif; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: 0.15rem 0.8rem 0.15rem 0; text-align: left; }
td + td { text-align: right; }
pre { overflow: auto; padding: 0.8rem; background: color-mix(in srgb, currentColor 8%, transparent); }
${plotStyle}
</style>
</head>
<body>
<h1>${escapeHtml(facts.name)}</h1>
<p><strong>${escapeHtml(facts.state)}</strong>${standing(facts, steps.at(-1))}</p>
<ul>${[...facts.summary, ...energy(lines)].map((fact) => `<li>${escapeHtml(fact)}</li>`).join('')}</ul>
${curves(steps)}
${evaluationPart(evaluations, facts.best)}
<details><summary>Configuration</summary><pre>${escapeHtml(facts.config)}</pre></details>
</body>
</html>
`;
}

function standing({ at: { step, minutes } }: ReportFacts, last: StepLine | undefined): string {
  if (last === undefined) return '';
  return ` at step ${step} after ${duration(minutes)}: loss ${last.loss.toFixed(3)}, ${speeds(last, shortNumber)}`;
}

/** What of a step's line is not zero: "12 pictures/s", "900 sentences/s", or both. */
export function speeds(
  { picturesPerSecond, sentencesPerSecond = 0 }: StepLine,
  shown: (speed: number) => string,
): string {
  const pictures = picturesPerSecond > 0 || sentencesPerSecond === 0;
  return [
    ...(pictures ? [`${shown(picturesPerSecond)} pictures/s`] : []),
    ...(sentencesPerSecond > 0 ? [`${shown(sentencesPerSecond)} sentences/s`] : []),
  ].join(', ');
}

function energy(lines: readonly LogLine[]): string[] {
  const last = lines.findLast((line) => line.kind === 'energy');
  if (last === undefined) return [];
  const { kilowattHours, gramsCarbonDioxide, basis } = last;
  return [`Energy: ${shortNumber(kilowattHours)} kWh, ${shortNumber(gramsCarbonDioxide)} g CO₂e; ${basis}.`];
}

function curves(steps: readonly StepLine[]): string {
  const along = (name: string, value: (line: StepLine) => number): Series => ({
    name,
    points: steps.map((line) => [line.step, value(line)] as const),
  });
  const partNames = [...new Set(steps.flatMap(({ parts }) => Object.keys(parts)))];
  const parts = partNames.map((name) => along(name, (line) => line.parts[name] ?? Number.NaN));
  const xName = 'steps';
  return [
    plot([along('loss', ({ loss }) => loss), ...(parts.length > 1 ? parts : [])], { title: 'Loss', xName }),
    plot([along('temperature', ({ temperature }) => temperature ?? Number.NaN)], {
      title: 'Temperature',
      xName,
    }),
    plot([along('norm', ({ gradientNorm }) => gradientNorm)], { title: 'Norm of the gradients', xName }),
    plot([along('rate', ({ learningRate }) => learningRate)], {
      title: 'Learning rate',
      xName,
      fromZero: true,
    }),
    ...speedCurves(steps, along, xName),
    plot([along('waiting', ({ waiting }) => 100 * waiting)], {
      title: 'Time waiting for data',
      xName,
      unit: ' %',
      fromZero: true,
    }),
  ].join('\n');
}

function speedCurves(
  steps: readonly StepLine[],
  along: (name: string, value: (line: StepLine) => number) => Series,
  xName: string,
): string[] {
  const hasPictures = steps.some(({ picturesPerSecond }) => picturesPerSecond > 0);
  const hasSentences = steps.some(({ sentencesPerSecond }) => sentencesPerSecond !== undefined);
  const curve = (title: string, value: (line: StepLine) => number): string =>
    plot([along('speed', value)], { title, xName, fromZero: true });
  return [
    ...(hasPictures || !hasSentences
      ? [curve('Pictures per second', ({ picturesPerSecond }) => picturesPerSecond)]
      : []),
    ...(hasSentences
      ? [curve('Sentences per second', ({ sentencesPerSecond }) => sentencesPerSecond ?? Number.NaN)]
      : []),
  ];
}

function evaluationPart(evaluations: readonly EvaluationLine[], best: number | undefined): string {
  const last = evaluations.at(-1);
  if (last === undefined) return '';
  const series = last.measurements.map((wanted): Series => {
    const name = measurementName(wanted);
    const points = evaluations.flatMap(({ step, measurements }) => {
      const found = measurements.find((measurement) => measurementName(measurement) === name);
      return found === undefined ? [] : [[step, 100 * found.value] as const];
    });
    return { name, points };
  });
  const kept = evaluations.find(({ step }) => step === best) ?? last;
  const rows = kept.measurements.map((measurement) => {
    const { value, interval, n } = measurement;
    return `<tr><td>${escapeHtml(measurementName(measurement))}</td><td>${percent(value)} %</td><td>${percent(interval[0])} to ${percent(interval[1])} %</td><td>${n}</td></tr>`;
  });
  return `<h2>Evaluation</h2>
${plot(series, { title: 'Figures of the named sets', xName: 'steps', unit: ' %' })}
<p>At step ${kept.step}${kept.step === best ? ', the best until now, whose model is in the folder' : ''}:</p>
<table><tr><th>figure</th><th>value</th><th>95 % interval</th><th>of</th></tr>${rows.join('')}</table>
${kept === last ? '' : `<p>At step ${last.step}, the last: ${last.measurements.map(({ value }) => `${percent(value)} %`).join(', ')}, in the same order.</p>`}`;
}

function percent(share: number): string {
  return (100 * share).toFixed(1);
}

/** Set, part, figure and language in one. */
export function measurementName({ dataset, split, metric, language }: Measurement): string {
  return `${dataset} ${split} ${metric}${language === 'en' ? '' : ` (${language})`}`;
}

/** Hours and minutes, or minutes and seconds. */
export function duration(minutes: number): string {
  if (!Number.isFinite(minutes)) return 'unknown time';
  const seconds = Math.round(minutes * 60);
  if (seconds >= 3600) return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`;
  return seconds >= 60 ? `${Math.floor(seconds / 60)} min ${seconds % 60} s` : `${seconds} s`;
}
