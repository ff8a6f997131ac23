/** Pictures as they are kept: short sides of at most 256 pixels, JPEG for photographs, WebP for drawings. */
import sharp from 'sharp';

sharp.concurrency(1);
sharp.cache(false);

/** What the networks see is no larger. */
export const mostSide = 256;

/** Grounds for drawings without one: mostly white, as drawings are found, and some light colours. */
const grounds = [
  ...Array.from({ length: 7 }, () => '#ffffff'),
  '#f4ecd8',
  '#e3f0fa',
  '#e6f5e1',
  '#fdeaea',
  '#efefef',
];

/**
 * A photograph: as it is where it is a small JPEG, made smaller otherwise.
 * @param {Buffer} bytes
 * @param {import('sharp').Region} [cut] what of it is kept
 * @returns {Promise<{ bytes: Buffer, ending: 'jpg' }>}
 */
export async function photograph(bytes, cut) {
  const { format, width = 0, height = 0, orientation = 1, space } = await sharp(bytes).metadata();
  const small = Math.min(cut?.width ?? width, cut?.height ?? height) <= mostSide;
  const plain = format === 'jpeg' && orientation === 1 && space === 'srgb';
  if (small && plain && cut === undefined) {
    // Damaged files are found here and not in training.
    await sharp(bytes, { failOn: 'error' }).resize(32, 32, { fit: 'fill' }).raw().toBuffer();
    return { bytes, ending: 'jpg' };
  }
  let image = sharp(bytes, { failOn: 'error' });
  image = cut === undefined ? image.rotate() : image.extract(cut);
  image = image.resize(mostSide, mostSide, { fit: 'outside', withoutEnlargement: true });
  const kept = await image
    .flatten({ background: '#ffffff' })
    .toColourspace('srgb')
    .jpeg({ quality: 90, chromaSubsampling: '4:4:4' })
    .toBuffer();
  return { bytes: kept, ending: 'jpg' };
}

/**
 * A drawing (SVG, PNG, WebP) in the middle of a square with a margin.
 * @param {Buffer} bytes
 * @param {string} name decides the ground, always the same one
 * @returns {Promise<{ bytes: Buffer, ending: 'webp' }>}
 */
export async function drawing(bytes, name) {
  const background = grounds[hashOf(name) % grounds.length] ?? '#ffffff';
  const inner = mostSide - 16;
  const {
    format,
    width = inner,
    height = inner,
  } = await sharp(bytes, { limitInputPixels: false }).metadata();
  // Vectors are drawn at the size that is kept. 72 dots an inch are one for each of their units.
  const density = Math.min(2400, Math.max(1, (72 * inner) / Math.max(width, height)));
  const drawn = sharp(bytes, format === 'svg' ? { density, unlimited: true } : {});
  const pixels = await drawn
    .resize(inner, inner, { fit: 'contain', background: '#00000000', withoutEnlargement: format !== 'svg' })
    .png()
    .toBuffer();
  const square = await sharp({ create: { width: mostSide, height: mostSide, channels: 3, background } })
    .composite([{ input: pixels, gravity: 'centre' }])
    .webp({ quality: 90 })
    .toBuffer();
  return { bytes: square, ending: 'webp' };
}

/**
 * FNV-1a, a number that follows from a name.
 * @param {string} name
 */
export function hashOf(name) {
  let hash = 0x811c9dc5;
  for (const byte of Buffer.from(name)) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
  return hash;
}
