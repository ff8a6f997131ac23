/**
 * What a picture looks like in some numbers that survive scaling, squashing, JPEG and mirroring: two difference hashes of
 * 64 bits, and a thumbnail for the second look. Each is taken of the whole picture and of its middle square, since sets
 * cut their pictures to squares or squash them.
 */
import sharp from 'sharp';

sharp.concurrency(1);

/** Side of the thumbnails. */
const side = 12;

/**
 * @typedef {object} Fingerprint
 * @property {Uint32Array} bits of the horizontal hash (two words) and the vertical one
 * @property {Float32Array} colours RGB of a thumbnail, 12 × 12 × 3, 0 to 255
 */

/**
 * @param {import('sharp').Sharp} picture
 * @param {{ mirrored: boolean }} options whether mirrored ones are wanted as well
 * @returns {Promise<Fingerprint[]>}
 */
export async function fingerprints(picture, { mirrored }) {
  const { data, info } = await picture
    .flatten({ background: '#ffffff' })
    .toColourspace('srgb')
    .resize(32, 32, { fit: 'outside' })
    .raw()
    .toBuffer({ resolveWithObject: true });
  const { width, height, channels } = info;
  const whole = { left: 0, top: 0, width, height };
  const short = Math.min(width, height);
  const middle = { left: (width - short) / 2, top: (height - short) / 2, width: short, height: short };
  const views = Math.max(width, height) < 1.04 * short ? [whole] : [whole, middle];
  return views.flatMap((view) => {
    /** @type {(columns: number, rows: number) => Float32Array} */
    const averages = (columns, rows) => areaAverages({ data, width, channels }, view, columns, rows);
    const [wide, tall, colours] = [averages(9, 8), averages(8, 9), averages(side, side)];
    const plain = { bits: hashes(wide, tall), colours };
    if (!mirrored) return [plain];
    return [plain, { bits: hashes(mirror(wide, 9), mirror(tall, 8)), colours: mirror(colours, side) }];
  });
}

/**
 * How unlike two pictures are: bits of 128, the mean difference of colours (0 to 255), and one less the correlation of
 * brightness.
 * @param {Fingerprint} one
 * @param {Fingerprint} other
 */
export function difference(one, other) {
  const bits = one.bits.reduce((all, word, place) => all + ones(word ^ (other.bits[place] ?? 0)), 0);
  const colour =
    one.colours.reduce((all, value, place) => all + Math.abs(value - (other.colours[place] ?? 0)), 0) /
    one.colours.length;
  return { bits, colour, shape: 1 - correlation(brightness(one.colours), brightness(other.colours)) };
}

/**
 * Bits that are set in a word of 32.
 * @param {number} word
 */
export function ones(word) {
  let bits = word - ((word >>> 1) & 0x55555555);
  bits = (bits & 0x33333333) + ((bits >>> 2) & 0x33333333);
  return Math.imul((bits + (bits >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}

/**
 * Where brightness rises, to the right and downwards.
 * @param {Float32Array} wide RGB of 9 × 8 parts
 * @param {Float32Array} tall RGB of 8 × 9 parts
 */
function hashes(wide, tall) {
  const bits = new Uint32Array(4);
  const across = brightness(wide);
  const down = brightness(tall);
  const rises = (/** @type {Float32Array} */ of, /** @type {number} */ from, /** @type {number} */ step) =>
    (of[from + step] ?? 0) > (of[from] ?? 0);
  for (let place = 0; place < 64; place++) {
    const word = place >> 5;
    const bit = 1 << (place & 31);
    if (rises(across, place + (place >> 3), 1)) bits[word] = (bits[word] ?? 0) | bit;
    if (rises(down, place, 8)) bits[2 + word] = (bits[2 + word] ?? 0) | bit;
  }
  return bits;
}

/**
 * Means of a picture's parts, which need not begin and end at whole pixels.
 * @param {{ data: Uint8Array, width: number, channels: number }} picture
 * @param {{ left: number, top: number, width: number, height: number }} view
 * @param {number} columns
 * @param {number} rows
 */
function areaAverages({ data, width, channels }, view, columns, rows) {
  const means = new Float32Array(columns * rows * 3);
  const [tall, wide] = [view.height / rows, view.width / columns];
  for (let row = 0; row < rows; row++) {
    const top = view.top + row * tall;
    for (let column = 0; column < columns; column++) {
      const left = view.left + column * wide;
      let [red, green, blue] = [0, 0, 0];
      for (let y = Math.floor(top); y < top + tall - 1e-6; y++) {
        const high = Math.min(y + 1, top + tall) - Math.max(y, top);
        for (let x = Math.floor(left); x < left + wide - 1e-6; x++) {
          const part = (high * (Math.min(x + 1, left + wide) - Math.max(x, left))) / (tall * wide);
          const from = (y * width + x) * channels;
          red += part * (data[from] ?? 0);
          green += part * (data[from + (channels > 2 ? 1 : 0)] ?? 0);
          blue += part * (data[from + (channels > 2 ? 2 : 0)] ?? 0);
        }
      }
      means.set([red, green, blue], 3 * (row * columns + column));
    }
  }
  return means;
}

/**
 * @param {Float32Array} grid RGB, row by row
 * @param {number} columns
 */
function mirror(grid, columns) {
  return grid.map((_, place) => {
    const [cell, channel] = [Math.floor(place / 3), place % 3];
    const column = cell % columns;
    return grid[3 * (cell - column + columns - 1 - column) + channel] ?? 0;
  });
}

/** @param {Float32Array} colours */
function brightness(colours) {
  return Float32Array.from({ length: colours.length / 3 }, (_, place) => {
    const [red = 0, green = 0, blue = 0] = colours.subarray(3 * place, 3 * place + 3);
    return 0.299 * red + 0.587 * green + 0.114 * blue;
  });
}

/**
 * @param {Float32Array} one
 * @param {Float32Array} other
 */
function correlation(one, other) {
  const [a, b] = [mean(one), mean(other)];
  let [both, first, second] = [0, 1e-6, 1e-6];
  for (const [place, value] of one.entries()) {
    const [x, y] = [value - a, (other[place] ?? 0) - b];
    both += x * y;
    first += x * x;
    second += y * y;
  }
  return both / Math.sqrt(first * second);
}

/** @param {Float32Array} values */
function mean(values) {
  return values.reduce((all, value) => all + value, 0) / values.length;
}
