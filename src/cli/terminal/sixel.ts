/** A picture as sixels: bands of six rows, each drawn colour by colour (DEC, VT330/VT340 Programmer Reference, chapter 14). */

/** Levels of red, green and blue each; terminals have at least 256 colours. */
const levels = 6;

/** Bayer's matrix, 4 × 4: where a colour lies between two levels, some pixels get the higher one. */
const thresholds = [0, 8, 2, 10, 12, 4, 14, 6, 3, 11, 1, 9, 15, 7, 13, 5].map((place) => (place + 0.5) / 16);

export interface SixelPixels {
  /** [height, width, 3] */
  data: Uint8Array;
  width: number;
  height: number;
}

export function sixelImage({ data, width, height }: SixelPixels): string {
  const colours = nearestColours({ data, width, height });
  const used = new Set(colours);
  const palette = [...used].map((colour) => `#${colour};2;${percentages(colour).join(';')}`).join('');
  const bands: string[] = [];
  for (let top = 0; top < height; top += 6) {
    bands.push(band(colours, { width, top, rows: Math.min(6, height - top) }));
  }
  return `\x1bP0;1q"1;1;${width};${height}${palette}${bands.join('-')}\x1b\\`;
}

/** The number of a colour for each pixel, [height, width]. */
function nearestColours({ data, width, height }: SixelPixels): Uint8Array {
  const colours = new Uint8Array(width * height);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const threshold = thresholds[(y % 4) * 4 + (x % 4)]!;
      const pixel = y * width + x;
      let colour = 0;
      for (let channel = 0; channel < 3; channel++) {
        const level = Math.floor((data[pixel * 3 + channel]! / 255) * (levels - 1) + threshold);
        colour = colour * levels + Math.min(level, levels - 1);
      }
      colours[pixel] = colour;
    }
  }
  return colours;
}

/** Red, green and blue of a colour's number, from 0 to 100. */
function percentages(colour: number): number[] {
  return [levels ** 2, levels, 1].map((place) =>
    Math.round(((Math.floor(colour / place) % levels) / (levels - 1)) * 100),
  );
}

/** Six rows: for each colour in them a bit a row in each column. */
function band(
  colours: Uint8Array,
  { width, top, rows }: { width: number; top: number; rows: number },
): string {
  const bits = new Map<number, Uint8Array>();
  for (let row = 0; row < rows; row++) {
    for (let x = 0; x < width; x++) {
      const colour = colours[(top + row) * width + x]!;
      const own = bits.get(colour) ?? new Uint8Array(width);
      own[x]! |= 1 << row;
      bits.set(colour, own);
    }
  }
  return [...bits].map(([colour, columns]) => `#${colour}${runs(columns)}`).join('$');
}

/** Columns as letters from ?, runs of the same with their length before them. */
function runs(columns: Uint8Array): string {
  const letters = Array.from(columns, (bits) => String.fromCharCode(63 + bits)).join('');
  return letters.replace(/(.)\1{3,}/gs, (run, letter: string) => `!${run.length}${letter}`);
}
