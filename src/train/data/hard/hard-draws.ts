/**
 * Draws in groups: pictures that are near one another come into one batch, where each is the hardest wrong answer for the
 * captions of the others. Within a window of batches the draws are those that would have come anyway, in another order:
 * every picture comes as often as without groups, and every source by its weight.
 */
import { randomAt, seedAt } from '../chance.ts';
import type { Draw } from '../draws.ts';
import type { HardBatchesConfig } from './config.ts';

type Draws = (draw: { number: number; attempt?: number }) => Draw;

export interface HardDrawOptions extends Omit<HardBatchesConfig, 'by'> {
  /** Draws of a batch. */
  batch: number;
  seed: number;
  /** For each source the place of each picture in an order of all, in which near places are near pictures. */
  places: readonly Uint32Array[];
}

/** Draws of a window, at most: groups of more are hardly nearer. */
const mostDraws = 65_536;
/** Fewer batches would leave little choice. */
const fewestBatches = 8;
/** Batches are made ahead, so that two windows may be asked for in turn. */
const mostWindows = 2;

/** Apart from the chance of other places, see chance.ts. */
const ofGroups = 31;

/** Draws of a batch that come in groups: whole groups only, at the beginning of the batch. */
export function groupedDraws({
  batch,
  share,
  group,
}: Pick<HardDrawOptions, 'batch' | 'share' | 'group'>): number {
  return Math.floor(Math.floor(share * batch) / group) * group;
}

/** The n-th draw, as a pure function of the seed and n. @param draw the draws without groups */
export function createHardDraws(draw: Draws, options: HardDrawOptions): Draws {
  const { batch, group, seed, places } = options;
  const grouped = groupedDraws(options);
  const pictures = places.reduce((sum, { length }) => sum + length, 0);
  const batches = Math.max(fewestBatches, Math.ceil(Math.min(mostDraws, pictures) / batch));
  const starts = places.map((_, source) =>
    places.slice(0, source).reduce((sum, { length }) => sum + length, 0),
  );
  const windows = new Map<number, Float64Array>();
  const windowAt = (window: number): Float64Array => {
    const known = windows.get(window);
    if (known !== undefined) return known;
    const made = arrange(window);
    const [oldest] = windows.keys();
    if (windows.size >= mostWindows) windows.delete(oldest!);
    windows.set(window, made);
    return made;
  };
  return ({ number, attempt = 0 }) => {
    const step = Math.floor(number / batch);
    const row = number - step * batch;
    if (row >= grouped) return draw({ number, attempt });
    const window = Math.floor(step / batches);
    const at = (step - window * batches) * grouped + row;
    return draw({ number: windowAt(window)[at]!, attempt });
  };

  /** For each grouped place of a window's batches the number of the draw that it gets. */
  function arrange(window: number): Float64Array {
    const count = batches * grouped;
    const numbers = Float64Array.from({ length: count }, (_, at) => {
      const step = window * batches + Math.floor(at / grouped);
      return step * batch + (at % grouped);
    });
    const seen = new Map<number, number>();
    // A picture that comes again goes round with the others that do: in a group it would stand beside itself.
    const keys = Float64Array.from(numbers, (number) => {
      const { source, picture } = draw({ number });
      const place = starts[source]! + picture;
      const times = seen.get(place) ?? 0;
      seen.set(place, times + 1);
      return times * pictures + places[source]![picture]!;
    });
    const order = Uint32Array.from({ length: count }, (_, at) => at).sort(
      (a, b) => keys[a]! - keys[b]! || a - b,
    );
    const random = randomAt(seedAt(seed, ofGroups), window);
    // Otherwise the same pictures would be cut apart in every window.
    const turn = Math.floor(random() * group);
    const groups = Uint32Array.from({ length: count / group }, (_, at) => at);
    for (let at = groups.length - 1; at > 0; at--) {
      const other = Math.floor(random() * (at + 1));
      [groups[at], groups[other]] = [groups[other]!, groups[at]!];
    }
    return Float64Array.from({ length: count }, (_, at) => {
      const place = groups[Math.floor(at / group)]! * group + (at % group);
      return numbers[order[(place + turn) % count]!]!;
    });
  }
}
