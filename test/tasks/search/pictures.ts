/** Folders of small pictures and a tiny model for the tests of searching. */
import { mkdir, mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import sharp from 'sharp';

/** A new folder of the system's temporary one. */
export function temporaryFolder(): Promise<string> {
  return mkdtemp(join(tmpdir(), 'eidos-search-'));
}

/** A picture of noise that differs from every other number's. */
export async function pictureBytes(number: number, { width = 24, height = 16 } = {}): Promise<Buffer> {
  let state = number * 2654435761 + 1;
  const data = Uint8Array.from({ length: width * height * 3 }, (_, i) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    // Large patches of colour, so that embeddings differ, with a little noise.
    const patch = (number * 97 + Math.floor(i / (width * 12)) * 53 + (i % 3) * 71) % 200;
    return (patch + (state >>> 27)) % 256;
  });
  return sharp(data, { raw: { width, height, channels: 3 } })
    .png()
    .toBuffer();
}

/** Writes pictures by path, below a folder. */
export async function writePictures(
  folder: string,
  pictures: Readonly<Record<string, number>>,
): Promise<void> {
  for (const [path, number] of Object.entries(pictures)) {
    const file = join(folder, path);
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, await pictureBytes(number));
  }
}
