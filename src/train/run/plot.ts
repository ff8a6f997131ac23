/** Curves as SVG: axes with round numbers, a line a series, colours that follow the page's light or dark scheme. */
import { escapeHtml } from '../../text/html.ts';

export interface Series {
  name: string;
  /** In order of x; points that are not finite leave a gap. */
  points: readonly (readonly [x: number, y: number])[];
}

export interface PlotOptions {
  title: string;
  /** What the horizontal axis counts. */
  xName: string;
  /** Written behind the numbers of the vertical axis. */
  unit?: string;
  /** Whether the vertical axis begins at zero. @default false */
  fromZero?: boolean;
}

const width = 640;
const height = 240;
const margin = { left: 64, right: 16, top: 12, bottom: 34 };
/** More points than this on a line cannot be seen. */
const mostPoints = 600;

/** A figure with title, legend and curves; a sentence in their place where there are no points yet. */
export function plot(series: readonly Series[], options: PlotOptions): string {
  const drawn = series.filter(({ points }) => points.length > 0);
  const heading = `<figcaption>${escapeHtml(options.title)}</figcaption>`;
  if (drawn.length === 0) return `<figure>${heading}<p>No figures yet.</p></figure>`;
  const all = drawn
    .flatMap(({ points }) => points)
    .filter(([x, y]) => Number.isFinite(x) && Number.isFinite(y));
  const x = scale(
    all.map(([value]) => value),
    [margin.left, width - margin.right],
    false,
  );
  const y = scale(
    all.map(([, value]) => value),
    [height - margin.bottom, margin.top],
    options.fromZero ?? false,
  );
  const parts = [
    ...y.ticks.map(
      (tick) =>
        `<line class="grid" x1="${margin.left}" x2="${width - margin.right}" y1="${place(y.at(tick))}" y2="${place(y.at(tick))}"/>` +
        `<text x="${margin.left - 8}" y="${place(y.at(tick) + 4)}" text-anchor="end">${shortNumber(tick)}${options.unit ?? ''}</text>`,
    ),
    ...x.ticks.map(
      (tick) =>
        `<text x="${place(x.at(tick))}" y="${height - margin.bottom + 18}" text-anchor="middle">${shortNumber(tick)}</text>`,
    ),
    `<text x="${width - margin.right}" y="${height - 2}" text-anchor="end">${escapeHtml(options.xName)}</text>`,
    ...drawn.map(
      ({ points }, at) => `<path class="s${at % 6}" d="${linePath(thinned(points), x.at, y.at)}"/>`,
    ),
  ];
  const legend =
    drawn.length === 1
      ? ''
      : `<p class="legend">${drawn.map(({ name }, at) => `<span class="s${at % 6}">${escapeHtml(name)}</span>`).join(' ')}</p>`;
  return `<figure>${heading}${legend}<svg viewBox="0 0 ${width} ${height}" role="img" aria-label="${escapeHtml(options.title)}">${parts.join('')}</svg></figure>`;
}

/** The style sheet that the figures need; colours are told apart by people who see few of them, too (Wong 2011). */
export const plotStyle = `
figure { margin: 1.5rem 0; }
figcaption { font-weight: 600; }
svg { width: 100%; height: auto; font: 12px system-ui, sans-serif; }
svg text { fill: currentColor; opacity: 0.75; }
svg path { fill: none; stroke-width: 1.75; stroke-linejoin: round; stroke: var(--colour); }
svg .grid { stroke: currentColor; opacity: 0.15; }
.legend { margin: 0.25rem 0; }
.legend span::before { content: ""; display: inline-block; width: 1em; height: 3px; margin-right: 0.4em; vertical-align: middle; background: var(--colour); }
.s0 { --colour: #0072b2; } .s1 { --colour: #d55e00; } .s2 { --colour: #009e73; }
.s3 { --colour: #cc79a7; } .s4 { --colour: #e69f00; } .s5 { --colour: #56b4e9; }`;

interface Scale {
  at: (value: number) => number;
  ticks: number[];
}

function scale(values: readonly number[], [from, to]: [number, number], fromZero: boolean): Scale {
  let least = fromZero ? 0 : Number.POSITIVE_INFINITY;
  let most = fromZero ? 0 : Number.NEGATIVE_INFINITY;
  for (const value of values) {
    if (value < least) least = value;
    if (value > most) most = value;
  }
  if (most - least < 1e-12 * Math.max(1, Math.abs(most))) {
    // A single value stands in the middle.
    const room = Math.abs(most) || 1;
    least -= fromZero ? 0 : room / 2;
    most += room / 2;
  }
  return {
    at: (value) => from + ((value - least) / (most - least)) * (to - from),
    ticks: roundNumbers(least, most),
  };
}

/** Some five numbers 1, 2 or 5 times a power of ten apart. */
function roundNumbers(least: number, most: number): number[] {
  const rough = (most - least) / 5;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((candidate) => candidate >= rough) ?? power;
  const first = Math.ceil(least / step - 1e-9);
  const last = Math.floor(most / step + 1e-9);
  return Array.from({ length: last - first + 1 }, (_, i) => (first + i) * step);
}

function linePath(
  points: readonly (readonly [number, number])[],
  x: (value: number) => number,
  y: (value: number) => number,
): string {
  let pen = 'M';
  let path = '';
  for (const [horizontal, vertical] of points) {
    if (!Number.isFinite(vertical)) {
      pen = 'M';
      continue;
    }
    path += `${pen}${place(x(horizontal))} ${place(y(vertical))}`;
    pen = 'L';
  }
  // A single point would be no line.
  return points.length === 1 ? `${path}h0.1` : path;
}

/** Means of neighbours where there are more points than can be seen. */
function thinned(points: readonly (readonly [number, number])[]): (readonly [number, number])[] {
  const together = Math.ceil(points.length / mostPoints);
  if (together <= 1) return [...points];
  return Array.from({ length: Math.ceil(points.length / together) }, (_, i) => {
    const group = points.slice(i * together, (i + 1) * together);
    const sum = group.reduce((total, [, value]) => total + value, 0);
    return [group.at(-1)![0], sum / group.length] as const;
  });
}

function place(value: number): string {
  return value.toFixed(1).replace(/\.0$/, '');
}

/** Four digits; a k for thousands, a power of ten for what is tiny. */
export function shortNumber(value: number): string {
  if (value !== 0 && Math.abs(value) < 0.001) return Number(value.toPrecision(4)).toExponential();
  const large = Math.abs(value) >= 10_000;
  const shown = Number((large ? value / 1000 : value).toPrecision(4));
  return `${shown}${large ? 'k' : ''}`;
}
