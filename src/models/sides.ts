/** Sides of pictures and patches, which are squares mostly. */
import { EidosError } from '../errors.ts';
import type { ImageArchitecture, Sides, VitArchitecture } from './architecture.ts';

/** Height and width. */
export function heightAndWidth(sides: Sides): readonly [height: number, width: number] {
  return typeof sides === 'number' ? [sides, sides] : sides;
}

/** The shape of one picture that an image tower reads, [3, height, width]. */
export function pictureShape({ imageSize }: Pick<ImageArchitecture, 'imageSize'>): [3, number, number] {
  return [3, ...heightAndWidth(imageSize)];
}

/** How many numbers a picture of such sides is: 3 · height · width. */
export function pictureNumbers(sides: Sides): number {
  const [height, width] = heightAndWidth(sides);
  return 3 * height * width;
}

/** Rows and columns of whole patches; what a side has beyond them is left out, as a strided convolution does. */
export function patchGrid({
  imageSize,
  patchSize,
}: Pick<VitArchitecture, 'imageSize' | 'patchSize'>): readonly [rows: number, columns: number] {
  const [height, width] = heightAndWidth(imageSize);
  const [patchHeight, patchWidth] = heightAndWidth(patchSize);
  return [Math.floor(height / patchHeight), Math.floor(width / patchWidth)];
}

/** "224 × 224" or "160 × 224". */
export function sidesInWords(sides: Sides): string {
  const [height, width] = heightAndWidth(sides);
  return height === width ? `${height}` : `${height} × ${width}`;
}

/**
 * The side of a square.
 * @param use what needs one, as the message says it
 * @throws EidosError `invalid_option` for sides of two lengths
 */
export function squareSide(sides: Sides, use: string): number {
  const [height, width] = heightAndWidth(sides);
  if (height === width) return height;
  throw new EidosError(
    'invalid_option',
    `The model reads pictures of ${height} × ${width} pixels: ${use} needs squares.`,
  );
}
