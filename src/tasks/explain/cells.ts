/** Maps of evidence: a number for each cell of what the model saw, and the same over the whole upright picture. */
import { bilinear } from '../../image/bilinear.ts';
import { planGeometry } from '../../image/resize.ts';
import type { ImagePreprocessing } from '../../models/preprocessing.ts';
import { heightAndWidth } from '../../models/sides.ts';

/** Row after row; above 0 speaks for the words, below against them. */
export interface Cells {
  rows: number;
  columns: number;
  values: Float32Array;
}

/** The same over the upright picture, 0 where the model did not see it. */
export interface PictureMap {
  width: number;
  height: number;
  values: number[];
}

/** The longer side of a map over a picture: finer than any tower's cells, and small enough to be sent. */
const longestSide = 128;

/** Each place of the picture gets what lies there in the cells, bilinearly between their middles. */
export function overPicture(
  cells: Cells,
  picture: { width: number; height: number },
  preprocessing: ImagePreprocessing,
): PictureMap {
  const scale = Math.min(1, longestSide / Math.max(picture.width, picture.height));
  const width = Math.max(1, Math.round(picture.width * scale));
  const height = Math.max(1, Math.round(picture.height * scale));
  const { across, down, left, top } = planGeometry(picture.width, picture.height, preprocessing);
  const [squareHeight, squareWidth] = heightAndWidth(preprocessing.size);
  const grid = { width: cells.columns, height: cells.rows, values: cells.values };
  const values = new Array<number>(width * height);
  for (let y = 0; y < height; y++) {
    // From the map to the resized picture, to the square that the model sees, to its cells.
    const inSquareY = ((y + 0.5) / height) * down.to - down.first;
    for (let x = 0; x < width; x++) {
      const inSquareX = ((x + 0.5) / width) * across.to - across.first;
      const seen = inSquareX >= 0 && inSquareX <= across.count && inSquareY >= 0 && inSquareY <= down.count;
      const row = ((inSquareY + top) / squareHeight) * cells.rows - 0.5;
      const column = ((inSquareX + left) / squareWidth) * cells.columns - 0.5;
      values[y * width + x] = seen ? bilinear(grid, column, row) : 0;
    }
  }
  return { width, height, values };
}

/** In a few words where the evidence for the text lies: `upper left`, `the middle`, `everywhere`. */
export function whereabouts({ width, height, values }: PictureMap): string {
  let [sum, x, y] = [0, 0, 0];
  values.forEach((value, at) => {
    const weight = Math.max(0, value);
    sum += weight;
    x += weight * ((at % width) + 0.5);
    y += weight * (Math.floor(at / width) + 0.5);
  });
  if (sum === 0) return 'nowhere';
  const [across, down] = [x / sum / width, y / sum / height];
  const vertical = down < 0.42 ? 'upper' : down > 0.58 ? 'lower' : '';
  const horizontal = across < 0.42 ? 'left' : across > 0.58 ? 'right' : '';
  const place = [vertical, horizontal].filter(Boolean).join(' ');
  return place === '' ? 'the middle' : place;
}
