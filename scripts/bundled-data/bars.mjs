/** Black bars that make a picture a square. */
import sharp from 'sharp';

/** Darker than JPEG makes of black. */
const dark = 20;

/** @typedef {import('sharp').Region} Region */

/**
 * What is left of a picture without its bars, or nothing where less than a third of it is.
 * @param {Buffer} picture
 * @returns {Promise<Region | undefined>}
 */
export async function withoutBars(picture) {
  const { data, info } = await sharp(picture).greyscale().raw().toBuffer({ resolveWithObject: true });
  const { width, height } = info;
  const isBar = (/** @type {number} */ first, /** @type {number} */ step, /** @type {number} */ count) => {
    let bright = 0;
    for (let place = 0; place < count; place++) if ((data[first + place * step] ?? 0) > dark) bright++;
    return bright < 0.02 * count;
  };
  let [top, bottom, left, right] = [0, height, 0, width];
  while (top < bottom && isBar(top * width, 1, width)) top++;
  while (bottom > top && isBar((bottom - 1) * width, 1, width)) bottom--;
  while (left < right && isBar(left, width, height)) left++;
  while (right > left && isBar(right - 1, width, height)) right--;
  // A bar's edge is blurred by a pixel.
  if (top > 0) top++;
  if (left > 0) left++;
  if (bottom < height) bottom--;
  if (right < width) right--;
  const small = right - left < width / 3 || bottom - top < height / 3;
  return small ? undefined : { left, top, width: right - left, height: bottom - top };
}
