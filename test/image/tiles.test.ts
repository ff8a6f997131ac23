import sharp from 'sharp';
import { expect, test } from 'vitest';
import { cutTiles } from '../../src/image/tiles.ts';

/** Every pixel tells where it is: [x, y, 200]. */
function coordinates(width: number, height: number): Promise<Buffer> {
  const data = new Uint8Array(width * height * 3).map((_, i) => {
    const pixel = Math.floor(i / 3);
    return [pixel % width, Math.floor(pixel / width), 200][i % 3]!;
  });
  return sharp(data, { raw: { width, height, channels: 3 } })
    .png()
    .toBuffer();
}

test('tiles are the squares of the sheet, row by row', async () => {
  const tiles = await cutTiles(await coordinates(12, 8), { side: 4, columns: 3, tiles: 5 });
  expect(tiles).toHaveLength(5);
  for (const [at, { data, width, height, channels }] of tiles.entries()) {
    expect([width, height, channels, data.length]).toEqual([4, 4, 3, 48]);
    for (let pixel = 0; pixel < 16; pixel++) {
      const wanted = [(at % 3) * 4 + (pixel % 4), Math.floor(at / 3) * 4 + Math.floor(pixel / 4), 200];
      expect([...data.subarray(pixel * 3, pixel * 3 + 3)]).toEqual(wanted);
    }
  }
});

test('grey sheets give grey tiles', async () => {
  const grey = await sharp(Uint8Array.of(10, 20, 30, 40), { raw: { width: 4, height: 1, channels: 1 } })
    .toColourspace('b-w')
    .png()
    .toBuffer();
  const tiles = await cutTiles(grey, { side: 1, columns: 4, tiles: 3 });
  expect(tiles.map(({ data, channels }) => [...data, channels])).toEqual([
    [10, 1],
    [20, 1],
    [30, 1],
  ]);
});

test('sheets of another width or with too few rows are refused by name', async () => {
  const picture = await coordinates(8, 4);
  for (const [bytes, columns, tiles] of [
    [picture, 3, 3],
    [picture, 2, 3],
    [Buffer.from('no picture'), 2, 2],
  ] as const) {
    await expect(cutTiles(bytes, { side: 4, columns, tiles }, 'the sheet')).rejects.toMatchObject({
      code: 'invalid_image',
      message: expect.stringContaining('the sheet'),
    });
  }
});
