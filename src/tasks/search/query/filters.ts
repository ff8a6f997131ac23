/** Which pictures a search is about: conditions on path, time, size, orientation and camera, over the columns. */
import { EidosError } from '../../../errors.ts';
import { pathMatcher } from '../patterns.ts';
import type { Snapshot } from '../snapshot/snapshot.ts';
import type { Filters, Orientation } from '../types.ts';

/**
 * 1 for rows that pass all conditions, [count]; undefined where there is none.
 * @throws EidosError `invalid_option` for a date or number that cannot be meant, and for a filter that there is not
 */
export function filterRows(snapshot: Snapshot, filters: Filters | undefined): Uint8Array | undefined {
  const conditions = conditionsOf(snapshot, filters ?? {});
  if (conditions.length === 0) return undefined;
  const passing = new Uint8Array(snapshot.count);
  for (let row = 0; row < snapshot.count; row++) {
    if (conditions.every((holds) => holds(row))) passing[row] = 1;
  }
  return passing;
}

type Condition = (row: number) => boolean;

/** A filter that is forgotten here does not compile. */
const makers: {
  readonly [F in keyof Filters]-?: (snapshot: Snapshot, value: NonNullable<Filters[F]>) => Condition;
} = {
  path: ({ paths }, pattern) => {
    const isMeant = pathMatcher(pattern);
    return (row) => isMeant(paths.get(row));
  },
  after: (snapshot, text) => {
    const { from, timeOf } = parseDate('after', text);
    return (row) => timeOf(snapshot, row) >= from;
  },
  before: (snapshot, text) => {
    const { end, timeOf } = parseDate('before', text);
    return (row) => timeOf(snapshot, row) < end;
  },
  minWidth: ({ widths }, least) => atLeast('minWidth', widths, least),
  maxWidth: ({ widths }, most) => atMost('maxWidth', widths, most),
  minHeight: ({ heights }, least) => atLeast('minHeight', heights, least),
  maxHeight: ({ heights }, most) => atMost('maxHeight', heights, most),
  minBytes: ({ sizes }, least) => atLeast('minBytes', sizes, least),
  maxBytes: ({ sizes }, most) => atMost('maxBytes', sizes, most),
  orientation: ({ widths, heights }, wanted) => {
    if (!['landscape', 'portrait', 'square'].includes(wanted)) {
      throw new EidosError(
        'invalid_option',
        `The filter orientation is "${wanted}": it may be landscape, portrait or square.`,
      );
    }
    return (row) => orientationOf(widths[row]!, heights[row]!) === wanted;
  },
  camera: ({ cameras }, part) => {
    const wanted = part.toLowerCase();
    return (row) => cameras.get(row).toLowerCase().includes(wanted);
  },
};

function conditionsOf(snapshot: Snapshot, filters: Filters): Condition[] {
  return Object.entries(filters).flatMap(([name, value]) => {
    if (!Object.hasOwn(makers, name)) {
      throw new EidosError(
        'invalid_option',
        `There is no filter "${name}": there are ${Object.keys(makers).join(', ')}.`,
      );
    }
    if (value === undefined) return [];
    const make = makers[name as keyof Filters] as (snapshot: Snapshot, value: unknown) => Condition;
    return [make(snapshot, value)];
  });
}

/**
 * The day and hour that people see at a picture, read as if it were UTC: the camera's; where that did not say, when its
 * file was changed, as clocks here show it.
 */
export function localTimeOf({ taken, modified }: Snapshot, row: number): number {
  return Number.isNaN(taken[row]!) ? onLocalClock(modified[row]!) : taken[row]!;
}

/** When the picture was taken, else when its file was changed; of the camera's clock nobody knows the zone. */
function instantOf({ taken, modified }: Snapshot, row: number): number {
  return Number.isNaN(taken[row]!) ? modified[row]! : taken[row]!;
}

function onLocalClock(instant: number): number {
  return instant - 60_000 * new Date(instant).getTimezoneOffset();
}

/** Squares are rarely cut to the pixel: sides that differ by a fiftieth count as equal. */
export function orientationOf(width: number, height: number): Orientation {
  if (Math.abs(width - height) <= 0.02 * Math.max(width, height)) return 'square';
  return width > height ? 'landscape' : 'portrait';
}

function atLeast(name: string, column: ArrayLike<number>, least: number): Condition {
  checkNumber(name, least);
  return (row) => column[row]! >= least;
}

function atMost(name: string, column: ArrayLike<number>, most: number): Condition {
  checkNumber(name, most);
  return (row) => column[row]! <= most;
}

function checkNumber(name: string, value: number): void {
  if (Number.isFinite(value) && value >= 0) return;
  throw new EidosError('invalid_option', `The filter ${name} is ${value}: it must be a number from 0 on.`);
}

/** The span of time that a date means, in milliseconds since 1970: a local year, month or day, or an instant. */
function parseDate(name: string, text: string): { from: number; end: number; timeOf: typeof instantOf } {
  const parts = /^(\d{4})(?:-(\d\d))?(?:-(\d\d))?$/.exec(text);
  if (parts !== null) {
    const [year, month, day] = parts.slice(1).map((part) => (part === undefined ? undefined : Number(part)));
    const from = Date.UTC(year!, (month ?? 1) - 1, day ?? 1);
    const end =
      day !== undefined
        ? from + 86_400_000
        : month !== undefined
          ? Date.UTC(year!, month, 1)
          : Date.UTC(year! + 1, 0, 1);
    const given = new Date(from).toISOString().slice(0, text.length);
    if (given === text) return { from, end, timeOf: localTimeOf };
  }
  const instant = parts === null && /^\d{4}-\d\d-\d\dT/.test(text) ? Date.parse(text) : Number.NaN;
  if (!Number.isNaN(instant)) return { from: instant, end: instant + 1, timeOf: instantOf };
  throw new EidosError(
    'invalid_option',
    `The filter ${name} is "${text}": write a date as 2024, 2024-05, 2024-05-31 or 2024-05-31T12:00:00Z.`,
  );
}
