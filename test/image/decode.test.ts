/** Decoding of pictures made here: orientation, formats, ways to store pixels, limits, memory. */
import sharp from 'sharp';
import { describe, expect, test } from 'vitest';
import { EidosError } from '../../src/errors.ts';
import { decodeImage } from '../../src/image/decode.ts';
import { imageSquare, preprocessImage } from '../../src/image/preprocess.ts';
import { clipPreprocessing } from '../../src/models/preprocessing.ts';
import { difference, toRgbBytes } from './fixture-pictures.ts';

const width = 31;
const height = 20;
const rgb = Uint8Array.from({ length: width * height * 3 }, (_, i) => (i * i * 7) % 256);
const raw = () => sharp(rgb, { raw: { width, height, channels: 3 } });

async function failure(promise: Promise<unknown>): Promise<EidosError> {
  const error = await promise.catch((cause: unknown) => cause);
  if (!(error instanceof EidosError)) throw new Error(`expected an EidosError, got ${error}`);
  return error;
}

/** Where a pixel of the upright picture lies in the stored one, by the definition of EXIF's orientations. */
const stored: Record<number, (x: number, y: number, w: number, h: number) => [number, number]> = {
  1: (x, y) => [x, y],
  2: (x, y, w) => [w - 1 - x, y],
  3: (x, y, w, h) => [w - 1 - x, h - 1 - y],
  4: (x, y, _, h) => [x, h - 1 - y],
  5: (x, y) => [y, x],
  6: (x, y, _, h) => [y, h - 1 - x],
  7: (x, y, w, h) => [w - 1 - y, h - 1 - x],
  8: (x, y, w) => [w - 1 - y, x],
};

describe('EXIF orientation', () => {
  test.each([1, 2, 3, 4, 5, 6, 7, 8])('%d', async (orientation) => {
    for (const format of ['png', 'jpeg'] as const) {
      const file = await raw().withMetadata({ orientation }).toFormat(format).toBuffer();
      const lying = await decodeImage(file, { orientation: 'ignore' });
      expect([lying.width, lying.height]).toEqual([width, height]);
      if (format === 'png') expect(lying.data).toEqual(rgb);
      const upright = await decodeImage(file);
      const turned = orientation >= 5;
      expect([upright.width, upright.height]).toEqual(turned ? [height, width] : [width, height]);
      const byHand = new Uint8Array(rgb.length);
      for (let y = 0; y < upright.height; y++) {
        for (let x = 0; x < upright.width; x++) {
          const [fromX, fromY] = stored[orientation]!(x, y, width, height);
          const from = (fromY * width + fromX) * 3;
          byHand.set(lying.data.subarray(from, from + 3), (y * upright.width + x) * 3);
        }
      }
      expect(upright.data).toEqual(byHand);
    }
  });

  test.each(['png', 'jpeg', 'webp'] as const)('the fast way turns a %s too', async (format) => {
    const smooth = await raw().resize(800, 601).blur(16).png().toBuffer();
    const file = await sharp(smooth).withMetadata({ orientation: 6 }).toFormat(format).toBuffer();
    const preprocessing = { ...clipPreprocessing, size: 32 };
    const [exact, fast, lying] = await Promise.all([
      imageSquare(file, preprocessing),
      imageSquare(file, preprocessing, { resize: 'fast' }),
      imageSquare(file, preprocessing, { resize: 'fast', orientation: 'ignore' }),
    ]);
    const { max } = difference(toRgbBytes(exact, 32), toRgbBytes(fast, 32));
    expect(max).toBeLessThanOrEqual(format === 'jpeg' ? 4 : 0);
    if (format === 'jpeg') expect(max).toBeGreaterThan(0);
    expect(difference(toRgbBytes(exact, 32), toRgbBytes(lying, 32)).max).toBeGreaterThan(10);
  });
});

describe('pictures as a person sees them', () => {
  /** A black disc on transparent black: as Pillow reads it, all black. */
  const side = 24;
  const rgba = Uint8Array.from({ length: side * side * 4 }, (_, at) => {
    const [x, y] = [Math.floor(at / 4) % side, Math.floor(at / 4 / side)];
    return at % 4 === 3 && Math.hypot(x - 12, y - 12) < 8 ? 255 : 0;
  });
  const drawing = () => sharp(rgba, { raw: { width: side, height: side, channels: 4 } });
  const seen = Uint8Array.from({ length: side * side * 3 }, (_, at) =>
    rgba[Math.floor(at / 3) * 4 + 3] === 255 ? 0 : 255,
  );
  const settings = { ...clipPreprocessing, size: side };
  const squareOf = async (source: Parameters<typeof imageSquare>[0], options = {}) =>
    toRgbBytes(await imageSquare(source, settings, options), side);

  test.each([
    ['PNG', () => drawing().png()],
    ['PNG with a palette', () => drawing().png({ palette: true })],
    ['WebP', () => drawing().webp({ lossless: true })],
    ['GIF', () => drawing().gif()],
    ['TIFF', () => drawing().tiff({ compression: 'lzw' })],
    ['AVIF', () => drawing().avif({ lossless: true, chromaSubsampling: '4:4:4', effort: 0 })],
    ['grey PNG', () => drawing().toColourspace('b-w').png()],
    ['16-bit PNG', () => drawing().toColourspace('rgb16').png()],
  ])('%s: what is transparent is white', async (_, make) => {
    const file = await make().toBuffer();
    expect(difference(await squareOf(file), seen).max).toBeLessThanOrEqual(1);
    const stored = await squareOf(file, { appearance: 'stored' });
    // Whatever colour lies there; Pillow takes it for what is seen.
    expect(difference(stored, seen).max).toBeGreaterThan(100);
  });

  test('raw pixels with alpha, half of it too', async () => {
    const greyAlpha = Uint8Array.from({ length: side * side * 2 }, (_, at) =>
      at % 2 === 0 ? 0 : rgba[at * 2 + 1]!,
    );
    for (const source of [
      { data: rgba, width: side, height: side, channels: 4 as const },
      { data: greyAlpha, width: side, height: side, channels: 2 as const },
    ]) {
      expect(difference(await squareOf(source), seen).max).toBe(0);
    }
    const half = Uint8Array.from({ length: side * side * 4 }, (_, at) => [200, 100, 0, 128][at % 4]!);
    const onWhite = Uint8Array.from({ length: side * side * 3 }, (_, at) =>
      Math.round((128 * [200, 100, 0][at % 3]! + 127 * 255) / 255),
    );
    const raw = { width: side, height: side, channels: 4 as const };
    expect(difference(await squareOf({ data: half, ...raw }), onWhite).max).toBe(0);
    expect(
      difference(await squareOf(await sharp(half, { raw }).png().toBuffer()), onWhite).max,
    ).toBeLessThanOrEqual(1);
  });

  test.each(['png', 'tiff'] as const)('16-bit grey in %s is the picture in 8 bits', async (format) => {
    const grey = Uint8Array.from({ length: side * side }, (_, at) => (at * 7) % 256);
    const wide = Uint16Array.from(grey, (value) => value * 257);
    const bytes = Buffer.from(wide.buffer);
    const file =
      format === 'tiff'
        ? tiffOf(bytes, { bits: 16, format: 1 })
        : await sharp(wide, { raw: { width: side, height: side, channels: 1 } })
            .toColourspace('grey16')
            .png()
            .toBuffer();
    expect((await decodeImage(file, { appearance: 'stored' })).mode).toBe('grey16');
    const wanted = Uint8Array.from({ length: side * side * 3 }, (_, at) => grey[Math.floor(at / 3)]!);
    expect(difference(await squareOf(file), wanted).max).toBeLessThanOrEqual(1);
    expect(
      (await squareOf(file, { appearance: 'stored' })).every((value) => value === 0 || value === 255),
    ).toBe(true);
  });

  test.each([
    { bits: 32, format: 3, kind: '32-bit floating numbers' },
    { bits: 16, format: 3, kind: '16-bit floating numbers' },
    { bits: 64, format: 3, kind: '64-bit floating numbers' },
    { bits: 32, format: 1, kind: '32-bit unsigned integers' },
    { bits: 64, format: 1, kind: '64-bit unsigned integers' },
    { bits: 16, format: 2, kind: '16-bit signed integers' },
  ])('a TIFF of $kind is refused by name', async ({ kind, ...numbers }) => {
    const file = tiffOf(Buffer.alloc((side * side * numbers.bits) / 8), numbers);
    const error = await failure(decodeImage(file, {}, 'scan.tif'));
    expect(error.code).toBe('invalid_image');
    expect(error.message).toContain(`scan.tif is a TIFF of ${kind}`);
    expect(error.message).toContain('8 or 16 bits');
  });

  /** A grey TIFF in one strip; of 64 bits with the bytes of numbers in the other order. */
  function tiffOf(data: Buffer, { bits, format }: { bits: number; format: number }): Buffer {
    const little = bits !== 64;
    const entries = [
      [256, side],
      [257, side],
      [258, bits],
      [259, 1],
      [262, 1],
      [273, 8],
      [277, 1],
      [278, side],
      [279, data.length],
      [339, format],
    ] as const;
    const file = Buffer.alloc(8 + data.length + 2 + 12 * entries.length + 4);
    const short = (value: number, at: number) =>
      little ? file.writeUInt16LE(value, at) : file.writeUInt16BE(value, at);
    const long = (value: number, at: number) =>
      little ? file.writeUInt32LE(value, at) : file.writeUInt32BE(value, at);
    file.write(little ? 'II' : 'MM', 'latin1');
    short(42, 2);
    long(8 + data.length, 4);
    data.copy(file, 8);
    short(entries.length, 8 + data.length);
    for (const [place, [tag, value]] of entries.entries()) {
      const at = 10 + data.length + 12 * place;
      const isShort = [258, 259, 262, 277, 339].includes(tag);
      short(tag, at);
      short(isShort ? 3 : 4, at + 2);
      long(1, at + 4);
      if (isShort) short(value, at + 8);
      else long(value, at + 8);
    }
    return file;
  }
});

describe('formats', () => {
  test.each([
    ['png', () => raw().png()],
    ['interlaced png', () => raw().png({ progressive: true })],
    ['webp', () => raw().webp({ lossless: true })],
    ['tiff', () => raw().tiff({ compression: 'lzw' })],
    ['avif', () => raw().avif({ lossless: true, chromaSubsampling: '4:4:4', effort: 0 })],
  ])('%s, without loss', async (format, make) => {
    const picture = await decodeImage(await make().toBuffer());
    expect({ ...picture, data: 0 }).toEqual({ data: 0, width, height, mode: 'rgb' });
    expect(difference(picture.data, rgb).max).toBeLessThanOrEqual(format === 'avif' ? 2 : 0);
  });

  test.each([
    ['grey JPEG', () => raw().greyscale().toColourspace('b-w').jpeg(), 'grey'],
    ['CMYK JPEG', () => raw().toColourspace('cmyk').jpeg(), 'cmyk'],
    ['grey PNG', () => raw().greyscale().toColourspace('b-w').png(), 'grey'],
    ['PNG of two colours', () => raw().greyscale().threshold().png({ palette: true, colours: 2 }), 'palette'],
    ['palette PNG', () => raw().png({ palette: true }), 'palette'],
    ['PNG with alpha', () => raw().ensureAlpha(0.5).png(), 'rgb_alpha'],
    ['WebP with alpha', () => raw().ensureAlpha(0.5).webp(), 'rgb_alpha'],
    ['lossless WebP with alpha', () => raw().ensureAlpha(0.5).webp({ lossless: true }), 'rgb_alpha'],
    ['16-bit grey PNG', () => raw().greyscale().toColourspace('grey16').png(), 'grey16'],
    ['GIF', () => raw().gif(), 'palette'],
    ['CMYK TIFF', () => raw().toColourspace('cmyk').tiff(), 'cmyk'],
    ['grey TIFF', () => raw().greyscale().toColourspace('b-w').tiff(), 'grey'],
    ['TIFF with alpha', () => raw().ensureAlpha(0.5).tiff({ compression: 'lzw' }), 'rgb_alpha'],
    ['AVIF with alpha', () => raw().ensureAlpha(0.5).avif({ effort: 0 }), 'rgb_alpha'],
  ])('%s', async (_, make, mode) => {
    const picture = await decodeImage(await make().toBuffer(), { appearance: 'stored' });
    expect(picture.mode).toBe(mode);
    const channels = { grey: 1, grey16: 1, rgb: 3, palette: 3 }[mode] ?? 4;
    expect(picture.data.length).toBe(width * height * channels);
  });

  test('the first frame of an animation', async () => {
    const frames = Buffer.concat([rgb, new Uint8Array(rgb.length)]);
    const file = await sharp(frames, { raw: { width, height: height * 2, channels: 3, pageHeight: height } })
      .webp({ lossless: true })
      .toBuffer();
    expect((await decodeImage(file)).data).toEqual(rgb);
  });

  test.each([
    ['BMP', Buffer.from(`BM${'\0'.repeat(60)}`, 'latin1'), 'a BMP file'],
    [
      'SVG',
      Buffer.from('<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"/>'),
      'an XML or SVG file',
    ],
    [
      'SVG after a mark',
      Buffer.from('\ufeff  <svg xmlns="http://www.w3.org/2000/svg"/>'),
      'an XML or SVG file',
    ],
    ['PDF', Buffer.from('%PDF-1.7 …'), 'a PDF file'],
    ['HEIC', Buffer.from('\0\0\0\x18ftypheic\0\0\0\0mif1heic', 'latin1'), 'a HEIC file'],
    ['video', Buffer.from('\0\0\0\x18ftypisom\0\0\0\0isommp42', 'latin1'), 'a video file'],
    ['text', Buffer.from('this is no picture'), 'not a picture'],
    ['one byte', Buffer.from([0x89]), 'not a picture'],
  ])('%s is refused by its content, and the readable ones are named', async (_, bytes, words) => {
    const error = await failure(decodeImage(bytes, {}, 'photos/a.jpg'));
    expect(error.code).toBe('invalid_image');
    expect(error.message).toContain(`photos/a.jpg is ${words}`);
    expect(error.message).toContain('JPEG, PNG, WebP, GIF, AVIF and TIFF');
  });
});

describe('limits', () => {
  test('a picture over maxPixels is not decoded', async () => {
    const file = await raw().png().toBuffer();
    const error = await failure(decodeImage(file, { maxPixels: width * height - 1 }, 'photos/big.png'));
    expect(error.code).toBe('image_too_large');
    expect(error.message).toContain('photos/big.png');
    expect((await decodeImage(file, { maxPixels: width * height })).width).toBe(width);
  });

  test('a strip longer than any picture is refused, one as long is read in either direction', async () => {
    const preprocessing = { ...clipPreprocessing, size: 32 };
    for (const resize of ['shortest', 'squash', 'longest'] as const) {
      for (const channels of [1, 3] as const) {
        const strip = (length: number, wide: boolean) => ({
          data: new Uint8Array(length * channels).fill(99),
          width: wide ? length : 1,
          height: wide ? 1 : length,
          channels,
        });
        for (const wide of [true, false]) {
          const error = await failure(preprocessImage(strip(200_001, wide), { ...preprocessing, resize }));
          expect(error.code).toBe('image_too_large');
          const square = await imageSquare(strip(200_000, wide), { ...preprocessing, resize });
          expect(square.data.every((value) => value === 99)).toBe(true);
        }
      }
    }
  });

  test('a few bytes that claim to be ten gigapixels', async () => {
    const file = await raw().png().toBuffer();
    file.writeUInt32BE(100_000, 16);
    file.writeUInt32BE(100_000, 20);
    // The checksum of the header chunk, so that only its size is wrong.
    let crc = -1;
    for (const byte of file.subarray(12, 29)) {
      crc ^= byte;
      for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
    }
    file.writeInt32BE(~crc, 29);
    for (const resize of ['exact', 'fast'] as const) {
      const promise = preprocessImage(file, { ...clipPreprocessing, size: 32 }, { resize });
      expect((await failure(promise)).code).toBe('image_too_large');
    }
  });
});

test('memory stays level over hundreds of pictures', async () => {
  const file = await sharp(rgb, { raw: { width, height, channels: 3 } })
    .resize(800, 600)
    .jpeg()
    .toBuffer();
  const preprocessing = { ...clipPreprocessing, size: 224 };
  const target = new Float32Array(3 * 224 * 224);
  const run = async (count: number) => {
    for (let i = 0; i < count; i++) await preprocessImage(file, preprocessing, {}, target);
    return process.memoryUsage.rss();
  };
  const before = await run(60);
  const after = await run(240);
  // 240 decoded pictures are 345 MB.
  expect((after - before) / 2 ** 20).toBeLessThan(80);
});
