/**
 * What is left out at random in a step: patches (Li et al. 2023) and residual branches (Huang et al. 2016, per sample).
 * The choice is made here and fed, so that it is a pure function of seed and step.
 */
import type { RuntimeTensor } from '../../engine/engine.ts';
import { EidosError } from '../../errors.ts';
import { randomNumbers } from '../../graph/initialise.ts';
import { multiply, reshape } from '../../graph/operations.ts';
import type { Value } from '../../graph/value.ts';
import type { ClipArchitecture } from '../../models/architecture.ts';
import type { Watch } from '../../models/transformer.ts';
import type { RegularisationConfig } from './config.ts';
import type { Inputs } from './inputs.ts';

/** Rows of the two towers. */
export interface Counts {
  images: number;
  texts: number;
}

/** Inputs that a program reads and how they are drawn. */
export interface Noise {
  /** Which patches are looked at, [images, kept] int64; undefined where all are. */
  keptPatches: Value | undefined;
  /** Hooks for the branches of each tower; undefined where none is left out. */
  branch: { image: Watch | undefined; text: Watch | undefined };
  /**
   * Draws all inputs; the same seed and step give the same numbers.
   * @param counts for more pictures and sentences than a program reads at once
   */
  draw(at: { seed: number; step: number }, counts?: Counts): Record<string, RuntimeTensor>;
}

/**
 * Declares the inputs for `images` pictures and `texts` sentences. Branches become inputs as the towers ask for them, so
 * draw() comes after the towers are built.
 * @throws EidosError `invalid_option` where patches shall be left out of a tower that has none
 */
export function noise(
  { image }: ClipArchitecture,
  input: Inputs,
  { patchDropout, stochasticDepth }: RegularisationConfig,
  declared: Counts,
): Noise {
  if (patchDropout > 0 && image.kind !== 'vit') {
    throw new EidosError(
      'invalid_option',
      `regularisation.patchDropout is for Vision Transformers; a ${image.kind} looks at the whole picture. Leave it away.`,
    );
  }
  const patches = image.kind === 'vit' ? Math.floor(image.imageSize / image.patchSize) ** 2 : 0;
  const kept = Math.max(1, Math.round(patches * (1 - patchDropout)));
  const drops = kept < patches;
  const names = { image: [] as string[], text: [] as string[] };
  const rowsOf = ({ images, texts }: Counts): Record<'image' | 'text', number> => ({
    image: images,
    text: texts,
  });

  const hook = (tower: 'image' | 'text'): Watch | undefined => {
    if (stochasticDepth[tower] === 0) return undefined;
    const rows = rowsOf(declared)[tower];
    return (name, value) => {
      names[tower].push(name);
      const mask = input(`keep:${name}`, [rows, 1]);
      // A branch's rows are pictures, or a picture's tokens one after the other.
      return reshape(multiply(reshape(value, [rows, -1]), mask), value.shape);
    };
  };

  return {
    keptPatches: drops ? input('kept_patches', [declared.images, kept], 'int64') : undefined,
    branch: { image: hook('image'), text: hook('text') },
    draw({ seed, step }, counts = declared) {
      const feeds: Record<string, RuntimeTensor> = {};
      const random = randomNumbers(mix(mix(0x9e3779b9, seed), step));
      if (drops) feeds.kept_patches = choosePatches(counts.images, patches, kept, random);
      for (const tower of ['image', 'text'] as const) {
        const { length } = names[tower];
        const rows = rowsOf(counts)[tower];
        names[tower].forEach((name, i) => {
          // The share grows in a line from the first branch to the last (Huang et al. 2016, equation 4).
          const kept = 1 - (stochasticDepth[tower] * (i + 1)) / length;
          const data = new Float32Array(rows).map(() => (random() < kept ? 1 / kept : 0));
          feeds[`keep:${name}`] = { type: 'float32', data, shape: [rows, 1] };
        });
      }
      return feeds;
    },
  };
}

/** Of each picture's patches some, in their order. */
function choosePatches(images: number, patches: number, kept: number, random: () => number): RuntimeTensor {
  const data = new BigInt64Array(images * kept);
  const order = Array.from({ length: patches }, (_, i) => i);
  for (let row = 0; row < images; row++) {
    for (let i = 0; i < kept; i++) {
      const other = i + Math.floor(random() * (patches - i));
      [order[i], order[other]] = [order[other]!, order[i]!];
    }
    const chosen = order.slice(0, kept).sort((a, b) => a - b);
    data.set(chosen.map(BigInt), row * kept);
  }
  return { type: 'int64', data, shape: [images, kept] };
}

/** One number from two, with all bits stirred (the end of Appleby's MurmurHash3). */
function mix(a: number, b: number): number {
  let h = Math.imul(a, 31) ^ b;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}
