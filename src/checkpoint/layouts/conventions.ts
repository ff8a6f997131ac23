/** What published models have in common and weights do not show, for checkpoints that come without a configuration. */
import { EidosError } from '../../errors.ts';
import type { Activation } from '../../models/architecture.ts';

/**
 * Image towers whose heads are not 64 wide, by tower width: ViT-H, ViT-g, SigLIP's SO400M, ViT-bigG, giant-opt and EVA-02's largest.
 */
const imageHeadWidths = new Map([
  [1152, 72],
  [1280, 80],
  [1408, 88],
  [1536, 96],
  [1664, 104],
  [1792, 112],
]);

/** Width of an image tower's heads. */
export function imageHeadWidth(width: number): number {
  return imageHeadWidths.get(width) ?? conventionalHeadWidth(width);
}

/** Width of a text tower's heads: only SO400M's differs from 64. */
export function textHeadWidth(width: number): number {
  return width === 1152 ? 72 : conventionalHeadWidth(width);
}

/**
 * Towers narrower than a head have one.
 * @throws EidosError `config_mismatch` for a width that no published tower has: any guess would give wrong embeddings
 */
function conventionalHeadWidth(width: number): number {
  if (width > 64 && width % 64 !== 0) {
    throw new EidosError(
      'config_mismatch',
      `A tower of width ${width} may have any number of heads, which its weights do not tell: the model's config.json is missing beside them.`,
    );
  }
  return Math.min(width, 64);
}

/** Widths of Vision Transformers that open_clip's authors published and OpenAI did not; all use exact GELU. */
const exactGeluWidths = new Set([896, 1280, 1408, 1664]);

/** The non-linearity of a checkpoint in OpenAI's layout that says nothing about it. */
export function bareActivation(vitWidth: number | undefined, clipa: boolean): Activation {
  return clipa || (vitWidth !== undefined && exactGeluWidths.has(vitWidth)) ? 'gelu' : 'quick_gelu';
}

/** SigLIP's SO400M reads 384 pixels in patches of 14, which leave six of them over. */
export function siglipRest(gridSide: number, patchSize: number): { usual?: number } {
  return gridSide === 27 && patchSize === 14 ? { usual: 384 } : {};
}
