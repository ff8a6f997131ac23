/**
 * Pictures on their way to a locked image tower and its answers on their way back: decoded ahead in threads, seen in the
 * tower's own, written in order.
 */
import { EidosError } from '../../../errors.ts';
import { seedAt } from '../chance.ts';
import type { PixelThreads } from '../pixel-threads.ts';
import type { ViewRequest } from '../pixels.ts';
import type { SourcePicture } from '../source.ts';
import type { StoredRows } from './store.ts';

/** An image tower that stays as it is, up to the features that its projection reads. */
export interface LockedTower {
  /** A hash of its weights and of how it is shown pictures. */
  fingerprint: string;
  /** Features a picture. */
  width: number;
  /** Pixels [count, 3, side, side], whose memory it takes, → features [count, width]. */
  see(pixels: Float32Array, count: number): Promise<Float32Array>;
}

/** Apart from the chance of other places, see chance.ts. */
const ofFeatureViews = 14;

/** Pictures that are measured together, with the views of each that are missing. */
type Group = readonly { picture: number; views: readonly number[] }[];

/** As many pictures at once as make a batch for the tower. */
export function* groupsOf(
  wanted: readonly number[],
  keys: readonly string[],
  stores: readonly StoredRows[],
  batch: number,
): Generator<Group, undefined> {
  let group: { picture: number; views: number[] }[] = [];
  let rows = 0;
  for (const picture of wanted) {
    const views = [...stores.keys()].filter((view) => !stores[view]!.places.has(keys[picture]!));
    if (group.length > 0 && rows + views.length > batch) {
      yield group;
      group = [];
      rows = 0;
    }
    group.push({ picture, views });
    rows += views.length;
  }
  if (group.length > 0) yield group;
}

export interface Asking {
  groups: Generator<Group, undefined>;
  pictures: readonly SourcePicture[];
  keys: readonly string[];
  tower: LockedTower;
  threads: PixelThreads;
  /** What random views follow from. */
  seed: number;
  signal: AbortSignal | undefined;
  write(rows: Map<number, { entries: { key: string; readable: boolean }[]; values: Float32Array }>): void;
  /** Told how many pictures have been measured. */
  onGroup(pictures: number): void;
}

/** Groups that the tower has been asked about and has not answered yet: it must not wait for the next one. */
const askedAhead = 2;

/** Pictures are decoded ahead in threads, the tower sees them in its own, and rows are written in order. */
export async function askTower({
  groups,
  pictures,
  keys,
  tower,
  threads,
  seed,
  signal,
  write,
  onGroup,
}: Asking): Promise<void> {
  type Coming = { group: Group; answer: ReturnType<PixelThreads['read']> };
  type Asked = { group: Group; broken: ReadonlySet<number>; features: Promise<Float32Array> };
  const coming: Coming[] = [];
  const asked: Asked[] = [];
  const prepare = (): void => {
    while (coming.length <= threads.count) {
      const { value: group, done } = groups.next();
      if (done) return;
      const requests = group.map(({ picture, views }) => {
        const { name, place, origin } = pictures[picture]!;
        const request = (view: number): ViewRequest =>
          view === 0 ? 'whole' : { seed: viewSeed(seed, keys[picture]!, view) };
        // A square that was packed before is smaller than the picture.
        return { name, place: origin ?? place, views: views.map(request) };
      });
      const answer = threads.read(requests);
      answer.catch(() => {});
      coming.push({ group, answer });
    }
  };
  const finish = async ({ group, broken, features }: Asked): Promise<void> => {
    const values = await features;
    write(rowsByView(group, broken, keys, values, tower.width));
    onGroup(group.length);
  };
  prepare();
  try {
    for (let next = coming.shift(); next !== undefined; next = coming.shift()) {
      if (signal?.aborted) {
        throw new EidosError('aborted', 'Measuring features was aborted; what has been measured is kept.');
      }
      const { data, broken } = await next.answer;
      prepare();
      const rows = next.group.reduce((sum, { views }) => sum + views.length, 0);
      const features = tower.see(data, rows);
      features.catch(() => {});
      asked.push({ group: next.group, broken: new Set(broken.map(({ request }) => request)), features });
      if (asked.length >= askedAhead) await finish(asked.shift()!);
    }
    for (const one of asked.splice(0)) await finish(one);
  } finally {
    await Promise.allSettled([
      ...coming.map(({ answer }) => answer),
      ...asked.map(({ features }) => features),
    ]);
  }
}

/** What a group's answer [rows, width] says of each view. */
function rowsByView(
  group: Group,
  broken: ReadonlySet<number>,
  keys: readonly string[],
  values: Float32Array,
  width: number,
): Map<number, { entries: { key: string; readable: boolean }[]; values: Float32Array }> {
  const found = new Map<number, { entries: { key: string; readable: boolean }[]; rows: number[] }>();
  let row = 0;
  for (const [at, { picture, views }] of group.entries()) {
    for (const view of views) {
      const own = found.get(view) ?? { entries: [], rows: [] };
      own.entries.push({ key: keys[picture]!, readable: !broken.has(at) });
      own.rows.push(row++);
      found.set(view, own);
    }
  }
  return new Map(
    [...found].map(([view, { entries, rows }]) => {
      const own = new Float32Array(rows.length * width);
      for (const [to, from] of rows.entries()) {
        if (entries[to]!.readable) own.set(values.subarray(from * width, (from + 1) * width), to * width);
      }
      return [view, { entries, values: own }];
    }),
  );
}

/** A picture's view is the same in whatever source and order it stands. */
export function viewSeed(seed: number, key: string, view: number): number {
  return seedAt(seed, ofFeatureViews, view, Buffer.from(key, 'latin1').readUIntBE(0, 6));
}
