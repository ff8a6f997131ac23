/** The measures of the grid for a width, and the size of thumbnail that fills a tile. */
import type { ThumbnailSize } from '../../../src/client/index.ts';
import type { Measures } from './justify.ts';

/** Pictures of a page. Small enough to draw at once, large enough that their rows come out even. */
export const pageSize = 48;

/** Under a picture that was looked for runs the line that tells how well it fits. */
export const fitLine = { gap: 4, height: 3 };

/** Rows grow with the window, from two pictures abreast on a phone to about six on a desk. */
export function measuresFor(width: number, withFit: boolean): Omit<Measures, 'loose'> {
  const gap = width < 600 ? 6 : 10;
  return {
    width,
    rowHeight: Math.min(280, 112 + width * 0.095),
    gap,
    rowGap: withFit ? gap + fitLine.gap + fitLine.height + 3 : gap,
  };
}

/** The smallest thumbnail that is sharp, or nearly, at this size on this screen. */
export function thumbnailFor(width: number, height: number): ThumbnailSize {
  const pixels = Math.max(width, height) * Math.min(devicePixelRatio || 1, 2);
  if (pixels <= 180) return '160';
  if (pixels <= 380) return '320';
  return pixels <= 800 ? '640' : '1280';
}
