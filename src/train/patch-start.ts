/**
 * A start for a Vision Transformer's patch embedding that sees patterns instead of noise. Neighbouring pixels are so
 * alike that random projections of a patch are nearly all its mean; small nets that see few pictures lose many
 * steps until they see more. Cosine waves in opponent colours are close to a patch's principal components
 * (Ahmed et al. 1974), and scaling each by its own deviation makes the weak ones count.
 */
import type { VitArchitecture } from '../models/architecture.ts';

/** Grey, red against blue, green against both: orthonormal, and nearly uncorrelated in photographs. */
const colours = [
  [1 / Math.sqrt(3), 1 / Math.sqrt(3), 1 / Math.sqrt(3)],
  [1 / Math.sqrt(2), 0, -1 / Math.sqrt(2)],
  [1 / Math.sqrt(6), -2 / Math.sqrt(6), 1 / Math.sqrt(6)],
] as const;

/** Patches that the deviations are measured on. */
const measuredPatches = 1024;

/** How far weak waves stay below strong ones: 1 leaves the deviations as they are, 0 makes them equal. */
const remainingContrast = 0.25;

/** Deviation of the strongest wave in the embedding. */
const strongest = 0.5;

/**
 * Weights [width, 3 · patch · patch]: the waves with the largest deviation in these pictures,
 * [n, 3, side, side] and normalised, scaled to nearly the same deviation.
 */
export function patchStart(
  { imageSize, patchSize, width }: Pick<VitArchitecture, 'imageSize' | 'patchSize' | 'width'>,
  pixels: Float32Array,
  random: () => number,
): Float32Array {
  const length = 3 * patchSize ** 2;
  const waves = cosineWaves(patchSize);
  const power = new Float64Array(length);
  const patch = new Float32Array(length);
  const pictures = pixels.length / (3 * imageSize ** 2);
  for (let n = 0; n < measuredPatches; n++) {
    const picture = Math.floor(random() * pictures);
    const top = Math.floor(random() * (imageSize - patchSize + 1));
    const left = Math.floor(random() * (imageSize - patchSize + 1));
    for (let at = 0; at < length; at++) {
      const channel = Math.floor(at / patchSize ** 2);
      const y = top + (Math.floor(at / patchSize) % patchSize);
      patch[at] = pixels[((picture * 3 + channel) * imageSize + y) * imageSize + left + (at % patchSize)]!;
    }
    for (let wave = 0; wave < length; wave++) {
      let product = 0;
      for (let at = 0; at < length; at++) product += waves[wave * length + at]! * patch[at]!;
      power[wave]! += product ** 2 / measuredPatches;
    }
  }
  const order = [...power.keys()].sort((a, b) => power[b]! - power[a]!);
  const most = Math.sqrt(power[order[0]!]!);
  const weights = new Float32Array(width * length);
  for (let row = 0; row < width; row++) {
    const wave = order[row % length]!;
    const deviation = Math.max(Math.sqrt(power[wave]!), 1e-3 * most);
    const gain = (strongest * (deviation / most) ** remainingContrast) / deviation;
    for (let at = 0; at < length; at++) weights[row * length + at] = waves[wave * length + at]! * gain;
  }
  return weights;
}

/** All products of two cosine waves and a colour: an orthonormal basis of patches [3, y, x], a row each. */
export function cosineWaves(side: number): Float32Array {
  const wave = (frequency: number, place: number): number =>
    Math.sqrt((frequency === 0 ? 1 : 2) / side) * Math.cos((Math.PI * frequency * (place + 0.5)) / side);
  const length = 3 * side * side;
  const rows = new Float32Array(length * length);
  let at = 0;
  for (const colour of colours) {
    for (let down = 0; down < side; down++) {
      for (let across = 0; across < side; across++) {
        for (const share of colour) {
          for (let y = 0; y < side; y++) {
            for (let x = 0; x < side; x++) rows[at++] = share * wave(down, y) * wave(across, x);
          }
        }
      }
    }
  }
  return rows;
}
