/** The pictures that are measured with: JPEGs of about 500×375 and 50 kB, made here, the same on every machine. */
import { existsSync } from 'node:fs';
import { mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { initialisers } from './eidos.mjs';

/**
 * Paths of `count` pictures in `folder`, which are made where they are missing.
 * @param {string} folder
 * @param {number} count
 */
export async function pictures(folder, count = 200) {
  if (!existsSync(folder)) await make(folder, count);
  const names = (await readdir(folder)).filter((name) => name.endsWith('.jpg')).sort();
  return names.slice(0, count).map((name) => join(folder, name));
}

/** @param {string} folder @param {number} count */
async function make(folder, count) {
  const { default: sharp } = await import('sharp');
  const { randomNumbers } = await initialisers();
  const temporary = `${folder}.${process.pid}.tmp`;
  await mkdir(temporary, { recursive: true });
  try {
    for (let i = 0; i < count; i++) {
      const random = randomNumbers(i + 1);
      const [width, height] = [480 + Math.floor(random() * 41), 360 + Math.floor(random() * 31)];
      const raw = { width, height, channels: /** @type {const} */ (3) };
      const jpeg = await sharp(picture(width, height, random), { raw })
        .jpeg({ quality: 88 })
        .toBuffer();
      await writeFile(join(temporary, `${String(i).padStart(3, '0')}.jpg`), jpeg);
    }
    await rename(temporary, folder);
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
}

/**
 * Gradients, discs with edges, and grain that is stronger in some places than in others: as much detail as photographs
 * have, so that files weigh what theirs do.
 * @param {number} width
 * @param {number} height
 * @param {() => number} random
 */
function picture(width, height, random) {
  const waves = Array.from({ length: 3 }, () => [random() * 0.03, random() * 0.03, random() * 6]);
  const discs = Array.from({ length: 12 }, () => ({
    x: random() * width,
    y: random() * height,
    radius: 15 + random() * 70,
    colour: [random() * 160 - 80, random() * 160 - 80, random() * 160 - 80],
  }));
  const data = new Uint8Array(width * height * 3);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const grain = (random() - 0.5) * 34 * (0.3 + Math.abs(Math.sin(x * 0.011 + y * 0.017)));
      for (let channel = 0; channel < 3; channel++) {
        const [fx = 0, fy = 0, phase = 0] = waves[channel] ?? [];
        let value = 128 + 70 * Math.sin(x * fx + y * fy + phase) + grain;
        for (const disc of discs) {
          if ((x - disc.x) ** 2 + (y - disc.y) ** 2 < disc.radius ** 2) value += disc.colour[channel] ?? 0;
        }
        data[(y * width + x) * 3 + channel] = Math.max(0, Math.min(255, value));
      }
    }
  }
  return data;
}
