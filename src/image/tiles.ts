/** Sheets: many small pictures of one size in one file, row by row from the top left. */
import { EidosError } from '../errors.ts';
import { channelsOfMode, decodeImage } from './decode.ts';
import type { RawPixels } from './source.ts';

export interface TileGrid {
  /** Width and height of a tile in pixels. */
  side: number;
  /** Tiles in a row of the sheet. */
  columns: number;
  /** Tiles that are taken; a last row may be incomplete. */
  tiles: number;
}

/**
 * Cuts the first tiles of a sheet, each with pixels of its own.
 * @param label names the sheet in errors
 * @throws EidosError `invalid_image` where the sheet cannot be read, has another width or too few rows.
 */
export async function cutTiles(
  sheet: Uint8Array,
  { side, columns, tiles }: TileGrid,
  label = 'the sheet',
): Promise<RawPixels[]> {
  const { data, width, height, mode } = await decodeImage(sheet, {}, label);
  const rows = Math.ceil(tiles / columns);
  if (!(data instanceof Uint8Array) || mode === 'cmyk' || width !== columns * side || height < rows * side) {
    throw new EidosError(
      'invalid_image',
      `${label} is ${width} × ${height} in ${mode}; ${tiles} tiles of ${side} pixels in ${columns} columns need ${columns * side} × ${rows * side} in 8 bits of grey or RGB.`,
    );
  }
  const channels = channelsOfMode[mode];
  return Array.from({ length: tiles }, (_, tile) => {
    const left = (tile % columns) * side;
    const top = Math.floor(tile / columns) * side;
    const pixels = new Uint8Array(side * side * channels);
    for (let y = 0; y < side; y++) {
      const start = ((top + y) * width + left) * channels;
      pixels.set(data.subarray(start, start + side * channels), y * side * channels);
    }
    return { data: pixels, width: side, height: side, channels };
  });
}
