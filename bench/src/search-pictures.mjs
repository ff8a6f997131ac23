/** Photograph-like JPEGs in any number, no two alike. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';

const width = 256;
const height = 192;

/**
 * Writes pictures 0 to count − 1 of a series into folders of a thousand.
 * @param {string} folder @param {number} count @param {number} series numbers of another series are other pictures
 */
export async function writeJpegs(folder, count, series) {
  for (let start = 0; start < count; start += 64) {
    const numbers = Array.from({ length: Math.min(64, count - start) }, (_, i) => start + i);
    await Promise.all(
      numbers.map(async (number) => {
        const place = join(folder, String(Math.floor(number / 1000)));
        await mkdir(place, { recursive: true });
        await writeFile(join(place, `${number}.jpg`), await jpeg(series + number));
      }),
    );
  }
}

/** Soft patches of colour, enlarged. @param {number} number */
function jpeg(number) {
  const side = 8;
  let state = (number + 1) * 2654435761;
  const data = Uint8Array.from({ length: side * side * 3 }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state >>> 24;
  });
  return sharp(data, { raw: { width: side, height: side, channels: 3 } })
    .resize(width, height, { kernel: 'cubic', fit: 'fill' })
    .jpeg({ quality: 85 })
    .toBuffer();
}
