/** What a model expects of its pictures before its image encoder sees them, as plain data. */
import type { Sides } from './architecture.ts';

/** How a picture becomes the square of floats that an image encoder reads. */
export interface ImagePreprocessing {
  /** Side of the square in pixels, or height and width. */
  size: Sides;
  /**
   * - `shortest`: the picture just covers `size` (its short side that of a square), then the middle is cut out (CLIP).
   * - `squash`: both sides become `size`, whatever the proportions (SigLIP).
   * - `longest`: the long side becomes `size`, the rest is filled with `fill` around the middle.
   */
  resize: 'shortest' | 'squash' | 'longest';
  interpolation: 'bicubic' | 'bilinear' | 'lanczos' | 'nearest';
  /** Where an odd margin falls when cutting: torchvision rounds half to even, Hugging Face rounds down. */
  cropRounding: 'half_even' | 'down';
  /** Whether palettes, alpha and grey become RGB before resizing (Hugging Face) or after cropping (OpenAI). */
  toRgb: 'first' | 'last';
  /** Grey value 0 to 255 around pictures resized by their longest side. */
  fill: number;
  /** Per channel, of values between 0 and 1: (value − mean) / deviation. */
  mean: [number, number, number];
  deviation: [number, number, number];
}

/** OpenAI's mean and deviation, which nearly every CLIP uses. */
export const clipPreprocessing: Omit<ImagePreprocessing, 'size'> = {
  resize: 'shortest',
  interpolation: 'bicubic',
  cropRounding: 'half_even',
  toRgb: 'last',
  fill: 0,
  mean: [0.48145466, 0.4578275, 0.40821073],
  deviation: [0.26862954, 0.26130258, 0.27577711],
};
