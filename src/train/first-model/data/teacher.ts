/**
 * What a net trained on ImageNet sees in each picture: 1,280 features, measured once. A small tower that has to
 * foretell them learns more from each picture than its caption says (Hinton et al. 2015; as a mere regression of
 * features: Yang et al. 2024, CLIP-KD).
 */
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createEngine } from '../../../engine/engine.ts';
import { EidosError } from '../../../errors.ts';
import { resizeView } from './augment.ts';
import type { TrainingSource } from './sources.ts';

/** Features of a picture. */
export const featureCount = 1280;

/** Pictures that the teacher sees at once. */
const rowsPerRun = 16;

/** Sets whose features were measured from larger pictures than are shared, and the files with them. */
const measured: Readonly<Record<string, string>> = {
  flickr8k: 'flickr8k.u8',
  'imagenet-samples': 'imagenet-samples.u8',
};

/**
 * Features of a set's pictures in bytes, [count, 1280], value = 6 · (byte / 255)²: from the shared files, from the
 * cache, or measured now and kept there.
 * @param folders.data where the sets lie, `teacher` and `flickr8k-features` among them
 * @throws EidosError `not_found` where the teacher is missing.
 */
export async function teacherFeatures(
  source: TrainingSource,
  { data, cache }: { data: string; cache: string },
): Promise<Uint8Array> {
  const shared = measured[source.name];
  if (shared !== undefined) {
    const all = await readFile(join(data, 'flickr8k-features', shared));
    const features = new Uint8Array(source.rows.length * featureCount);
    for (const [at, row] of source.rows.entries()) {
      features.set(all.subarray(row * featureCount, (row + 1) * featureCount), at * featureCount);
    }
    return features;
  }
  const path = join(cache, `${source.name}-${source.pictures.count}-features.u8`);
  const kept = await readFile(path).catch(() => undefined);
  if (kept?.length === source.pictures.count * featureCount) return new Uint8Array(kept);
  const features = await measure(source, join(data, 'teacher/mobilenet_v2.onnx'));
  await mkdir(cache, { recursive: true });
  await writeFile(`${path}.part`, features);
  await rename(`${path}.part`, path);
  return features;
}

async function measure({ pictures }: TrainingSource, path: string): Promise<Uint8Array> {
  const model = await readFile(path).catch((cause: unknown) => {
    throw new EidosError('not_found', `The teacher ${path} cannot be read.`, { cause });
  });
  const { side, count, data } = pictures;
  // Pictures smaller than those that the teacher was trained on are recognised better when they are enlarged.
  const size = side < 96 ? 2 * side : Math.ceil((1.4 * side) / 32) * 32;
  const engine = createEngine();
  const features = new Uint8Array(count * featureCount);
  try {
    const session = await engine.compile({
      model: new Uint8Array(model),
      weightFolder: undefined,
      weightFiles: [],
      inputs: [],
      outputs: [],
    });
    for (let first = 0; first < count; first += rowsPerRun) {
      const rows = Math.min(rowsPerRun, count - first);
      const input = new Float32Array(rows * 3 * size * size);
      for (let row = 0; row < rows; row++) {
        const picture = data.subarray((first + row) * side * side * 3, (first + row + 1) * side * side * 3);
        const view = { left: 0, top: 0, width: side, height: side, mirrored: false };
        const pixels = resizeView(picture, side, view, size);
        for (let channel = 0; channel < 3; channel++) {
          const start = (row * 3 + channel) * size * size;
          for (let i = 0; i < size * size; i++) input[start + i] = pixels[i * 3 + channel]! / 127.5 - 1;
        }
      }
      const outputs = await session.run(
        { input: { type: 'float32', data: input, shape: [rows, 3, size, size] } },
        { fetches: ['features'], transfer: ['input'] },
      );
      const values = outputs.features!.data as Float32Array;
      for (let i = 0; i < values.length; i++) {
        features[first * featureCount + i] = Math.round(
          255 * Math.sqrt(Math.min(6, Math.max(0, values[i]!)) / 6),
        );
      }
    }
    return features;
  } finally {
    await engine.close();
  }
}

/** The mean of each feature's byte over all pictures; undefined where a set has no features. */
export function meanFeatures(sources: readonly TrainingSource[]): Float32Array | undefined {
  const sums = new Float64Array(featureCount);
  let count = 0;
  for (const { features } of sources) {
    if (features === undefined) return undefined;
    for (let start = 0; start < features.length; start += featureCount) {
      for (let i = 0; i < featureCount; i++) sums[i]! += features[start + i]!;
      count++;
    }
  }
  return Float32Array.from(sums, (sum) => sum / count);
}

/** Writes a picture's features less their mean, as a row of unit length. */
export function writeFeatures(
  { features }: TrainingSource,
  picture: number,
  mean: Float32Array,
  target: Float32Array,
  row: number,
): void {
  if (features === undefined) return;
  let squares = 0;
  for (let i = 0; i < featureCount; i++) {
    const value = features[picture * featureCount + i]! - mean[i]!;
    target[row * featureCount + i] = value;
    squares += value * value;
  }
  const factor = 1 / Math.max(1e-6, Math.sqrt(squares));
  for (let i = row * featureCount; i < (row + 1) * featureCount; i++) target[i]! *= factor;
}
