/** How fast features are measured, and how long it will take. */

export interface MeasuringProgress {
  source: string;
  /** Pictures, of all sources together. */
  done: number;
  total: number;
  picturesPerSecond: number;
  minutesLeft: number;
}

/** How far all sources together have come. */
export interface Pace {
  /** Pictures that somebody else has measured meanwhile. */
  skip(pictures: number): void;
  add(source: string, pictures: number): void;
}

export function createPace(
  { pictures: total, missing }: { pictures: number; missing: number },
  onProgress: ((progress: MeasuringProgress) => void) | undefined,
): Pace {
  let left = missing;
  let measuredNow = 0;
  let began: number | undefined;
  return {
    skip(pictures) {
      left -= pictures;
    },
    add(source, pictures) {
      left -= pictures;
      const now = performance.now();
      // The first group comes with the opening of everything; it would belie the pace.
      if (began === undefined) began = now;
      else measuredNow += pictures;
      const seconds = (now - began) / 1000;
      const picturesPerSecond = seconds > 0 ? measuredNow / seconds : 0;
      onProgress?.({
        source,
        done: total - left,
        total,
        picturesPerSecond,
        minutesLeft: picturesPerSecond > 0 ? left / picturesPerSecond / 60 : Number.NaN,
      });
    },
  };
}
