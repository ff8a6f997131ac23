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
 * A vector drawing whose page is larger than it, or smaller: cut to what is drawn.
 * @param {Buffer} bytes
 * @param {string} name decides the ground
 */
export async function drawingOnPage(bytes, name) {
  const text = bytes.toString('utf8');
  const root = /<svg\b[^>]*>/.exec(text)?.[0];
  if (root === undefined) throw new Error('It has no element svg.');
  const field = (/** @type {string} */ key) => new RegExp(`\\s${key}=["']([^"']*)["']`).exec(root)?.[1];
  const given = field('viewBox')
    ?.trim()
    .split(/[\s,]+/)
    .map(Number);
  const page = [field('width'), field('height')].map((length) => Number.parseFloat(length ?? '') || 800);
  const [width = 800, height = 800] = page;
  const [x = 0, y = 0, w = width, h = height] = given ?? [0, 0];
  const seen = (/** @type {number[]} */ box, /** @type {number} */ side) => {
    const scale = side / Math.max(box[2] ?? 1, box[3] ?? 1);
    const bare = root.replace(/\s(width|height|viewBox|preserveAspectRatio|x|y)=("[^"]*"|'[^']*')/g, '');
    const size = `width="${(box[2] ?? 1) * scale}" height="${(box[3] ?? 1) * scale}"`;
    return Buffer.from(text.replace(root, bare.replace('<svg', `<svg ${size} viewBox="${box.join(' ')}"`)));
  };
  // What lies beside the page is drawn as well. The second look is at what the first has found, and more exact.
  let box = [x - w, y - h, 3 * w, 3 * h];
  const side = 512;
  for (let look = 0; look < 2; look++) {
    const { data, info } = await sharp(seen(box, side), { unlimited: true })
      .ensureAlpha()
      .extractChannel(3)
      .raw()
      .toBuffer({ resolveWithObject: true });
    const found = boundsOf(data, info.width, info.height);
    if (found === undefined) throw new Error('Nothing is drawn.');
    const [left = 0, top = 0, wide = 1, high = 1] = box;
    const unit = Math.max(wide, high) / side;
    box = [left + found.left * unit, top + found.top * unit, found.width * unit, found.height * unit];
  }
  return drawing(seen(box, mostSide), name);
}

/**
 * Where a channel is not zero.
 * @param {Uint8Array} alpha
 * @param {number} width
 * @param {number} height
 */
function boundsOf(alpha, width, height) {
  let [left, top, right, bottom] = [width, height, -1, -1];
  for (const [place, value] of alpha.entries()) {
    if (value < 8) continue;
    const [x, y] = [place % width, Math.floor(place / width)];
    [left, right] = [Math.min(left, x), Math.max(right, x)];
    [top, bottom] = [Math.min(top, y), Math.max(bottom, y)];
  }
  return right < 0 ? undefined : { left, top, width: right - left + 1, height: bottom - top + 1 };
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
