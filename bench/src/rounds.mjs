/** Measuring in turn: two sides do the same, one after the other, several times, and only ratios of neighbours count. */
import { loadavg } from 'node:os';

/**
 * @typedef {import('./contestant.mjs').Contestant} Contestant
 * @typedef {import('./contestant.mjs').Outcome} Outcome
 * @typedef {{
 *   wall: number, cpu: number, spread: [number, number],
 *   ours: Outcome, theirs: Outcome, rounds: number, load: number
 * }} Comparison
 */

/**
 * How many times as long `theirs` takes as `ours`, by the clock and in seconds of the processors: medians over pairs.
 * @param {Contestant} ours
 * @param {Contestant} theirs
 * @param {(round: number) => object} task the same for both sides
 * @param {number} rounds
 * @param {object} [extra] what only our side is told
 * @returns {Promise<Comparison>}
 */
export async function compare(ours, theirs, task, rounds, extra = {}) {
  // Once without measuring: first runs allocate, and read files from the disk.
  await ours.run({ ...task(0), ...extra });
  await theirs.run(task(0));
  const pairs = [];
  for (let round = 0; round < rounds; round++) {
    // Who begins changes, so that a machine that slows down favours nobody.
    const first = round % 2 === 0;
    const a = first ? await ours.run({ ...task(round), ...extra }) : undefined;
    const b = await theirs.run(task(round));
    pairs.push({ ours: a ?? (await ours.run({ ...task(round), ...extra })), theirs: b });
  }
  const walls = pairs.map((pair) => pair.theirs.seconds / pair.ours.seconds).sort((a, b) => a - b);
  return {
    wall: median(walls),
    cpu: median(pairs.map((pair) => pair.theirs.cpuSeconds / pair.ours.cpuSeconds)),
    spread: [walls[0] ?? Number.NaN, walls.at(-1) ?? Number.NaN],
    ours: middle(pairs.map((pair) => pair.ours)),
    theirs: middle(pairs.map((pair) => pair.theirs)),
    rounds,
    load: loadavg()[0] ?? Number.NaN,
  };
}

/**
 * The same comparison in other terms: a share of the work done, or our time in theirs.
 * @param {Comparison} comparison
 * @param {(ratio: number) => number} change
 * @returns {Comparison}
 */
export function inTermsOf(comparison, change) {
  const [a, b] = [change(comparison.spread[0]), change(comparison.spread[1])];
  return {
    ...comparison,
    wall: change(comparison.wall),
    cpu: change(comparison.cpu),
    spread: [Math.min(a, b), Math.max(a, b)],
  };
}

/** @param {readonly number[]} values */
export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const half = sorted.length / 2;
  const [low = Number.NaN, high = Number.NaN] = [sorted[Math.ceil(half) - 1], sorted[Math.floor(half)]];
  return (low + high) / 2;
}

/** @param {Outcome[]} outcomes @returns {Outcome} */
function middle(outcomes) {
  return {
    seconds: median(outcomes.map(({ seconds }) => seconds)),
    cpuSeconds: median(outcomes.map(({ cpuSeconds }) => cpuSeconds)),
    value: outcomes.at(-1)?.value,
  };
}
