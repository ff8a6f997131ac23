/**
 * What is left out at random in a step: patches (Li et al. 2023), residual branches (Huang et al. 2016, per sample) and
 * single numbers (Srivastava et al. 2014). The choice is made here and fed, so that it is a pure function of seed and
 * step.
 */
import type { RuntimeTensor } from '../../engine/engine.ts';
import { EidosError } from '../../errors.ts';
import { randomNumbers } from '../../graph/initialise.ts';
import { multiply, reshape, where } from '../../graph/operations.ts';
import { elementCount } from '../../graph/tensor.ts';
import type { Value } from '../../graph/value.ts';
import type { ClipArchitecture } from '../../models/architecture.ts';
import type { Watch } from '../../models/layers/transformer.ts';
import { patchGrid } from '../../models/sides.ts';
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
  /** The same for what dropout may set to zero. */
  dropout: { image: Watch | undefined; text: Watch | undefined };
  /**
   * Draws all inputs; the same seed and step give the same numbers.
   * @param counts for more pictures and sentences than a program reads at once
   */
  draw(at: { seed: number; step: number }, counts?: Counts): Record<string, RuntimeTensor>;
}

/**
 * Declares the inputs for `images` pictures and `texts` sentences. Branches become inputs as the towers ask for them, so
 * draw() comes after the towers are built.
 * @throws EidosError `invalid_option` where something shall be left out of a tower that has none
 */
export function noise(
  { image, text }: ClipArchitecture,
  input: Inputs,
  { patchDropout, stochasticDepth, dropout }: RegularisationConfig,
  declared: Counts,
): Noise {
  if (patchDropout > 0 && image.kind !== 'vit') {
    throw new EidosError(
      'invalid_option',
      `regularisation.patchDropout is for Vision Transformers; a ${image.kind} looks at the whole picture. Leave it away.`,
    );
  }
  requireDropout(dropout, image, text);
  const patches = image.kind === 'vit' ? elementCount(patchGrid(image)) : 0;
  const kept = Math.max(1, Math.round(patches * (1 - patchDropout)));
  const drops = kept < patches;
  const names = { image: [] as string[], text: [] as string[] };
  const units: { name: string; tower: 'image' | 'text'; width: number }[] = [];
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

  const unitHook = (tower: 'image' | 'text'): Watch | undefined => {
    const dropped = droppedOf256(dropout[tower]);
    if (dropped === 0) return undefined;
    return (name, value) => {
      const width = Number(value.shape[1]);
      units.push({ name, tower, width });
      const kept = input(`dropout:${name}`, [rowsOf(declared)[tower], width], 'bool');
      return where(kept, multiply(value, 256 / (256 - dropped)), 0);
    };
  };

  return {
    keptPatches: drops ? input('kept_patches', [declared.images, kept], 'int64') : undefined,
    branch: { image: hook('image'), text: hook('text') },
    dropout: { image: unitHook('image'), text: unitHook('text') },
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
      for (const [place, { name, tower, width }] of units.entries()) {
        const rows = rowsOf(counts)[tower];
        const start = mix(mix(mix(0x51ed270b, seed), step), place);
        const data = keptUnits(rows * width, droppedOf256(dropout[tower]), start);
        feeds[`dropout:${name}`] = { type: 'bool', data, shape: [rows, width] };
      }
      return feeds;
    },
  };
}

function requireDropout(
  dropout: RegularisationConfig['dropout'],
  image: ClipArchitecture['image'],
  text: ClipArchitecture['text'],
): void {
  if (dropout.image > 0 && image.kind !== 'efficientnet') {
    throw new EidosError(
      'invalid_option',
      `regularisation.dropout.image is for towers with a head of their own above the features, as an efficientnet has it; a ${image.kind} has none. Leave it away.`,
    );
  }
  if (dropout.text > 0 && text.kind !== 'averaging') {
    throw new EidosError(
      'invalid_option',
      'regularisation.dropout.text is for text towers of kind "averaging"; a Transformer has stochasticDepth. Leave it away.',
    );
  }
}

/** How many of 256 numbers are left out: a share is kept to so much, so that four of them come from one random number. */
function droppedOf256(share: number): number {
  return share === 0 ? 0 : Math.min(255, Math.max(1, Math.round(256 * share)));
}

/**
 * 1 for numbers that stay and 0 for others. A layer of a thousand pictures has a million of them, so that they come from a
 * generator that is written out here (Tommy Ettinger's mulberry32), a byte each.
 */
function keptUnits(length: number, dropped: number, seed: number): Uint8Array {
  const kept = new Uint8Array(length);
  let state = seed;
  for (let at = 0; at < length; at += 4) {
    state = (state + 0x6d2b79f5) | 0;
    let bits = Math.imul(state ^ (state >>> 15), state | 1);
    bits ^= bits + Math.imul(bits ^ (bits >>> 7), bits | 61);
    bits ^= bits >>> 14;
    // Writing beyond the end changes nothing.
    kept[at] = (bits & 255) >= dropped ? 1 : 0;
    kept[at + 1] = ((bits >>> 8) & 255) >= dropped ? 1 : 0;
    kept[at + 2] = ((bits >>> 16) & 255) >= dropped ? 1 : 0;
    kept[at + 3] = bits >>> 24 >= dropped ? 1 : 0;
  }
  return kept;
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
