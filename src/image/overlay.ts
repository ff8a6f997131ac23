/** Maps of evidence over pictures: what speaks for something in orange, what speaks against it in blue, with contour lines. */
import { EidosError } from '../errors.ts';
import { bilinear, type Grid } from './bilinear.ts';
import { loadSharp, openDecoder } from './decode.ts';
import { readHeader } from './header.ts';
import { type ImageSource, imageLabel, isRawPixels, readSource, type SourceOptions } from './source.ts';

export interface OverlayOptions extends SourceOptions {
  /** How much of the colours is seen where the map is strongest. @default 0.65 */
  opacity?: number | undefined;
  /** The longer side of what is drawn. @default 640 */
  side?: number | undefined;
}

/** Orange and blue, which colour-blind people tell apart (Brewer's PuOr and RdYlBu have them at their ends). */
const colours = { for: [230, 97, 1], against: [44, 123, 182] } as const;

/** Parts of the largest value at which a line is drawn. */
const contours = [0.25, 0.5, 0.75];

/**
 * The picture with its map, numbers over the whole upright picture, as PNG, and the picture alone in the same size.
 * @throws EidosError what reading the picture fails with
 */
export async function drawOverlay(
  source: ImageSource,
  map: Grid,
  options: OverlayOptions = {},
): Promise<{ overlay: Buffer; original: Buffer; width: number; height: number }> {
  const { opacity = 0.65, side = 640 } = options;
  const label = imageLabel(source);
  const input = await readSource(source, options, label);
  if (isRawPixels(input)) {
    throw new EidosError(
      'invalid_option',
      `${label}: a map is drawn over a file of a picture, not over raw pixels.`,
    );
  }
  const decoder = await openDecoder(input, readHeader(input, label), {}, label);
  const { data, info } = await decoder
    .flatten({ background: '#fff' })
    .toColourspace('srgb')
    .resize(side, side, { fit: 'inside', withoutEnlargement: false })
    .removeAlpha()
    .raw()
    .toBuffer({ resolveWithObject: true });
  const { width, height, channels } = info;
  const base = new Uint8Array(width * height * 3);
  for (let at = 0; at < width * height; at++)
    for (let channel = 0; channel < 3; channel++)
      base[at * 3 + channel] = data[at * channels + (channels < 3 ? 0 : channel)]!;
  const largest = Array.from(map.values).reduce((most, value) => Math.max(most, Math.abs(value)), 0) || 1;
  const strength = Float32Array.from({ length: width * height }, (_, at) => {
    const x = (((at % width) + 0.5) * map.width) / width - 0.5;
    const y = ((Math.floor(at / width) + 0.5) * map.height) / height - 0.5;
    return bilinear(map, x, y) / largest;
  });
  const drawn = Uint8Array.from(base);
  for (let at = 0; at < strength.length; at++) {
    const value = strength[at]!;
    const colour = value < 0 ? colours.against : colours.for;
    const share = Math.abs(value) * opacity;
    const onLine = isContour(strength, at, width, height);
    for (let channel = 0; channel < 3; channel++) {
      const mixed = base[at * 3 + channel]! * (1 - share) + colour[channel]! * share;
      drawn[at * 3 + channel] = onLine ? mixed * 0.35 : mixed;
    }
  }
  const sharp = await loadSharp();
  const png = (pixels: Uint8Array): Promise<Buffer> =>
    sharp(pixels, { raw: { width, height, channels: 3 } })
      .png()
      .toBuffer();
  const [overlay, original] = await Promise.all([png(drawn), png(base)]);
  return { overlay, original, width, height };
}

/** Whether a line between two steps of strength runs between a pixel and the one beside or below it. */
function isContour(strength: Float32Array, at: number, width: number, height: number): boolean {
  const beside = at % width < width - 1 ? strength[at + 1]! : strength[at]!;
  const below = at < width * (height - 1) ? strength[at + width]! : strength[at]!;
  const own = strength[at]!;
  return contours.some((level) =>
    [level, -level].some((line) => own >= line !== beside >= line || own >= line !== below >= line),
  );
}
