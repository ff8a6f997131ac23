/** How pictures are prepared, from Hugging Face's `preprocessor_config.json` or open_clip's `preprocess_cfg`. */
import { z } from 'zod';
import { EidosError } from '../../errors.ts';
import type { Sides } from '../../models/architecture.ts';
import type { ImagePreprocessing } from '../../models/preprocessing.ts';
import { heightAndWidth, sidesInWords, squareSide } from '../../models/sides.ts';
import type { OpenClipPreprocess } from './open-clip.ts';
import { optional, size, validated } from './values.ts';

const sides = z.object({ shortest_edge: optional(size), height: optional(size), width: optional(size) });
const channels = z.array(z.number().min(-1000).max(1000)).length(3);

const processorSchema = z.object({
  size: optional(z.union([size, sides])),
  crop_size: optional(z.union([size, sides])),
  do_resize: optional(z.boolean()),
  do_center_crop: optional(z.boolean()),
  do_rescale: optional(z.boolean()),
  rescale_factor: optional(z.number().positive()),
  do_normalize: optional(z.boolean()),
  do_convert_rgb: optional(z.boolean()),
  resample: optional(z.int().min(0).max(10)),
  image_mean: optional(channels),
  image_std: optional(channels),
});

type Triple = [number, number, number];

/** Pillow's numbers of its filters, by which Hugging Face's settings name them. */
export const pillowFilters: { readonly [I in ImagePreprocessing['interpolation']]: number } = {
  nearest: 0,
  lanczos: 1,
  bilinear: 2,
  bicubic: 3,
};

/**
 * Hugging Face's settings over the layout's defaults.
 * @throws EidosError `config_mismatch` where they make pictures of another size than the model reads,
 * `unsupported_checkpoint` for steps that eidos does not have.
 */
export function huggingFacePreprocessing(
  value: unknown,
  file: string,
  defaults: ImagePreprocessing,
): ImagePreprocessing {
  const config = validated(processorSchema, value, file);
  const unsupported = (field: string, problem: string): never => {
    throw new EidosError(
      'unsupported_checkpoint',
      `${file}: ${field} ${problem}, which eidos does not have.`,
    );
  };
  if (config.do_resize === false) unsupported('do_resize', 'is false');
  if (config.do_rescale === false) unsupported('do_rescale', 'is false');
  const factor = config.rescale_factor ?? 1 / 255;
  if (Math.abs(factor * 255 - 1) > 1e-6) unsupported('rescale_factor', `is ${factor} instead of 1/255`);

  const resize = resizeOf(config.size, defaults, unsupported);
  const size = squareSide(defaults.size, `${file}: Hugging Face's settings`);
  const made =
    config.do_center_crop === true ? squareOf(config.crop_size, 'crop_size', unsupported) : undefined;
  const shown = resize.side ?? made ?? size;
  if (resize.mode === 'shortest' && config.do_center_crop === false)
    unsupported('do_center_crop', 'is false');
  if (made !== undefined && made !== shown) unsupported('crop_size', `is ${made} where size is ${shown}`);
  agreeOnSize(shown, size, `${file}: size`);

  const normalise = config.do_normalize !== false;
  const { resample = pillowFilters[defaults.interpolation] } = config;
  const filter = interpolations.find((name) => pillowFilters[name] === resample);
  return {
    ...defaults,
    resize: resize.mode,
    interpolation: filter ?? unsupported('resample', `is ${resample}`),
    cropRounding: 'down',
    toRgb: config.do_convert_rgb === false ? 'last' : 'first',
    mean: normalise ? ((config.image_mean as Triple | undefined) ?? defaults.mean) : [0, 0, 0],
    deviation: deviation(
      normalise ? ((config.image_std as Triple | undefined) ?? defaults.deviation) : [1, 1, 1],
      file,
    ),
  };
}

/** open_clip's settings over the layout's defaults; errors as above. */
export function openClipPreprocessing(
  config: OpenClipPreprocess,
  file: string,
  defaults: ImagePreprocessing,
): ImagePreprocessing {
  const unsupported = (field: string, value: string): never => {
    throw new EidosError(
      'unsupported_checkpoint',
      `${file}: preprocess_cfg.${field} is '${value}', which eidos does not have.`,
    );
  };
  const { interpolation = defaults.interpolation, resize_mode: mode = defaults.resize } = config;
  if (interpolation !== 'bicubic' && interpolation !== 'bilinear')
    unsupported('interpolation', interpolation);
  if (mode !== 'shortest' && mode !== 'squash' && mode !== 'longest') unsupported('resize_mode', mode);
  if (config.size !== undefined)
    agreeOnSize(config.size as Sides, defaults.size, `${file}: preprocess_cfg.size`);
  return {
    ...defaults,
    resize: mode as ImagePreprocessing['resize'],
    interpolation: interpolation as ImagePreprocessing['interpolation'],
    fill: config.fill_color ?? 0,
    mean: (config.mean as Triple | undefined) ?? defaults.mean,
    deviation: deviation((config.std as Triple | undefined) ?? defaults.deviation, file),
  };
}

const interpolations = Object.keys(pillowFilters) as ImagePreprocessing['interpolation'][];

type NamedSides = z.output<typeof sides>;
type Unsupported = (field: string, problem: string) => never;

/** A number or a shortest edge keeps proportions; height and width do not. */
function resizeOf(
  given: number | NamedSides | undefined,
  defaults: ImagePreprocessing,
  unsupported: Unsupported,
): { mode: ImagePreprocessing['resize']; side: number | undefined } {
  if (given === undefined) return { mode: defaults.resize, side: undefined };
  if (typeof given === 'number') return { mode: 'shortest', side: given };
  if (given.shortest_edge !== undefined) return { mode: 'shortest', side: given.shortest_edge };
  return { mode: 'squash', side: squareOf(given, 'size', unsupported) };
}

function squareOf(
  given: number | NamedSides | undefined,
  field: string,
  unsupported: Unsupported,
): number | undefined {
  if (given === undefined || typeof given === 'number') return given;
  if (given.height !== given.width) unsupported(field, `is ${given.height} by ${given.width}, no square`);
  return given.height;
}

function agreeOnSize(configured: Sides, sides: Sides, field: string): void {
  if (heightAndWidth(configured).join() === heightAndWidth(sides).join()) return;
  throw new EidosError(
    'config_mismatch',
    `${field} is ${sidesInWords(configured)}, but the model's weights read pictures of ${sidesInWords(sides)} pixels.`,
  );
}

function deviation(values: Triple, file: string): Triple {
  if (values.every((value) => value > 0)) return values;
  throw new EidosError(
    'invalid_checkpoint',
    `${file}: the deviation of a channel must be above zero, not [${values}].`,
  );
}
