/** Results as lines for people and as JSON for programs. */
import { cpus, loadavg } from 'node:os';

/**
 * @typedef {{
 *   metric: string, value: number, target: number, atLeast: boolean, detail: string,
 *   digits?: number, comparison?: import('./rounds.mjs').Comparison
 * }} Row
 */

/** @param {boolean} json */
export function printHead(json) {
  if (json) return;
  const load = loadavg().map((value) => value.toFixed(1));
  console.log(
    `${cpus().length} × ${cpus()[0]?.model.trim()}, Node ${process.versions.node}, load average ${load.join(' ')}`,
  );
  console.log(
    '× is the median ratio of neighbouring runs; in brackets by processor seconds, which a busy machine spoils less.\n',
  );
}

/** @param {Row} row @param {boolean} json */
export function printRow(row, json) {
  if (json) return console.log(JSON.stringify(asObject(row)));
  const { metric, value, target, atLeast, detail, digits = 2, comparison } = row;
  const cpu = comparison?.cpu;
  const wanted = `${atLeast ? '≥' : '≤'} ${target}`;
  const measured = Number.isNaN(value)
    ? '–'
    : `${value.toFixed(digits)}${cpu === undefined ? '' : ` (${cpu.toFixed(digits)})`}`;
  const noise =
    comparison === undefined
      ? ''
      : `, ${comparison.rounds} pairs ${comparison.spread.map((ratio) => ratio.toFixed(2)).join('…')}, load ${comparison.load.toFixed(1)}`;
  console.log(
    `${verdict(row).padEnd(6)} ${metric.padEnd(66)} ${measured.padEnd(15)} ${wanted.padEnd(8)} ${detail}${noise}`,
  );
}

/** @param {Row} row */
export function verdict({ value, target, atLeast }) {
  if (Number.isNaN(value)) return 'none';
  return (atLeast ? value >= target : value <= target) ? 'met' : 'missed';
}

/** @param {Row} row */
function asObject({ comparison, ...row }) {
  return {
    ...row,
    cpu: comparison?.cpu,
    verdict: verdict(row),
    ...(comparison === undefined
      ? {}
      : {
          pairs: comparison.rounds,
          spread: comparison.spread,
          loadAverage: comparison.load,
          seconds: [comparison.ours.seconds, comparison.theirs.seconds],
          cpuSeconds: [comparison.ours.cpuSeconds, comparison.theirs.cpuSeconds],
        }),
  };
}
