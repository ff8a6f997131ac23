/** A row for each picture of a training that tells what it is near: what a tower or a teacher makes of it, kept small. */
import { randomNumbers } from '../../../graph/initialise.ts';

/** More numbers a row do not tell neighbours much better, and take memory. */
const mostNumbers = 512;

/** Takes rows of any width one by one, and gives them back folded, less their mean, and of unit length. */
export interface RowFolder {
  /** Adds a row to the picture's. A picture without one keeps zeros. */
  add(picture: number, row: Float32Array): void;
  finish(): { rows: Float32Array; width: number };
}

/**
 * Wide rows are folded: each number is added, with a sign by chance, to one of 512, also by chance, which keeps products
 * of rows in the mean (Charikar et al. 2002, Weinberger et al. 2009). Narrower ones stay as they are.
 * @param count pictures
 */
export function createRowFolder(count: number, width: number): RowFolder {
  const kept = Math.min(width, mostNumbers);
  const random = randomNumbers(0xf01d);
  const places = Uint16Array.from({ length: width }, (_, i) =>
    width === kept ? i : Math.floor(random() * kept),
  );
  const signs = Float32Array.from({ length: width }, () => (width === kept || random() < 0.5 ? 1 : -1));
  const rows = new Float32Array(count * kept);
  const isKnown = new Uint8Array(count);
  return {
    add(picture, row) {
      const start = picture * kept;
      let squares = 0;
      for (let i = 0; i < width; i++) squares += row[i]! ** 2;
      if (squares === 0) return;
      isKnown[picture] = 1;
      const factor = 1 / Math.sqrt(squares);
      for (let i = 0; i < width; i++) rows[start + places[i]!]! += signs[i]! * factor * row[i]!;
    },
    finish() {
      const means = new Float64Array(kept);
      let known = 0;
      for (let picture = 0; picture < count; picture++) {
        if (isKnown[picture] === 0) continue;
        known++;
        for (let i = 0; i < kept; i++) means[i]! += rows[picture * kept + i]!;
      }
      for (let picture = 0; picture < count; picture++) {
        if (isKnown[picture] === 0) continue;
        const row = rows.subarray(picture * kept, (picture + 1) * kept);
        let squares = 0;
        for (let i = 0; i < kept; i++) {
          row[i]! -= means[i]! / known;
          squares += row[i]! ** 2;
        }
        // A row that is the mean itself points nowhere.
        const factor = squares > 1e-12 ? 1 / Math.sqrt(squares) : 0;
        for (let i = 0; i < kept; i++) row[i]! *= factor;
      }
      return { rows, width: kept };
    },
  };
}
