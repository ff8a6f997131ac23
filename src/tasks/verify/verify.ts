/** Whether a model computes here what it computed where it was made, on every device and number type there is. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { openWeights, readBytes, readTensor } from '../../checkpoint/index.ts';
import type { Clip } from '../../clip/clip.ts';
import { type Embeddings, normalizeRows } from '../../clip/embeddings.ts';
import { type LoadOptions, loadClip } from '../../clip/load.ts';
import { chooseDevice, type Device, devices, listDevices, type NumberType } from '../../engine/devices.ts';
import { EidosError } from '../../errors.ts';
import { randomNumbers } from '../../graph/initialise.ts';
import { elementCount, type FloatTensor, type IntTensor } from '../../graph/tensor.ts';
import { pictureShape } from '../../models/sides.ts';

export interface VerifyOptions extends Omit<LoadOptions, 'device' | 'dtype'> {
  /** Only this device and number type. @default every one that works here */
  device?: Device;
  dtype?: NumberType;
  /** Smallest cosine that counts as equal, by number type. */
  thresholds?: Partial<Record<NumberType, number>>;
}

/** One device and number type against the reference. */
export interface Verification {
  device: Device;
  dtype: NumberType;
  /** Where the reference comes from: stored with the model, or computed now in fp32 on the CPU. */
  reference: 'stored' | 'computed';
  /** Smallest cosine of a picture's and of a sentence's embedding with its reference. */
  imageCosine: number;
  textCosine: number;
  threshold: number;
  passed: boolean;
}

/** Where a model's stored references lie, beside its weights. */
export const referenceFile = 'reference.safetensors';

/** Rounding in 24, 11 and 8 bits through some dozen layers leaves this much. */
export const defaultThresholds: Readonly<Record<NumberType, number>> = {
  fp32: 0.99999,
  fp16: 0.999,
  int8: 0.99,
};

interface References {
  origin: Verification['reference'];
  pixels: FloatTensor;
  tokens: IntTensor;
  images: Embeddings;
  texts: Embeddings;
}

/**
 * @param source a model's local folder or file
 * @throws EidosError `device_unavailable` or `dtype_unavailable` with what is missing, and as `loadClip` does
 */
export async function* verifyModel(
  source: string,
  options: VerifyOptions = {},
): AsyncGenerator<Verification> {
  const { device, dtype, thresholds, ...loadOptions } = options;
  const combinations = (await workingDevices(device, dtype))
    .flatMap((working) => devices[working].numberTypes.map((type) => ({ device: working, dtype: type })))
    .filter((combination) => dtype === undefined || combination.dtype === dtype);
  const references = (await storedReferences(source)) ?? (await computedReferences(source, loadOptions));
  for (const combination of combinations) {
    const clip = await loadClip(source, { ...loadOptions, ...combination });
    try {
      const imageCosine = smallestCosine(clip, await clip.embedPixels(references.pixels), references.images);
      const textCosine = smallestCosine(clip, await clip.embedTokens(references.tokens), references.texts);
      const threshold = thresholds?.[combination.dtype] ?? defaultThresholds[combination.dtype];
      const passed = imageCosine >= threshold && textCosine >= threshold;
      yield { ...combination, reference: references.origin, imageCosine, textCosine, threshold, passed };
    } finally {
      await clip.close();
    }
  }
}

/** The device that is wanted, or all that work here; never none. Throws what is missing. */
async function workingDevices(device: Device | undefined, dtype: NumberType | undefined): Promise<Device[]> {
  if (device !== undefined) return [(await chooseDevice(device, dtype)).device];
  const working = (await listDevices()).filter(
    ({ available, numberTypes }) => available && (dtype === undefined || numberTypes.includes(dtype)),
  );
  // Where there is none, the choice of the best one says why.
  if (working.length === 0) return [(await chooseDevice('auto', dtype)).device];
  return working.map((report) => report.device);
}

/** The cosine of each row with the same row of the other. A value that is not a number passes nothing. */
function smallestCosine(clip: Clip, a: Embeddings, b: Embeddings): number {
  const rows = a.shape[0]!;
  const cosines = clip.similarity(a, b).data;
  const own = Array.from({ length: rows }, (_, i) => cosines[i * rows + i]!);
  return own.some(Number.isNaN) ? Number.NaN : Math.min(...own);
}

async function storedReferences(source: string): Promise<References | undefined> {
  const file = join(source, referenceFile);
  if (!existsSync(file)) return undefined;
  const { tensors } = await openWeights(file);
  const find = (name: string) => {
    const tensor = tensors.get(name);
    if (tensor === undefined)
      throw new EidosError(
        'invalid_checkpoint',
        `'${file}' has no tensor '${name}': it is no reference that eidos wrote.`,
      );
    return tensor;
  };
  const floats = async (name: string): Promise<FloatTensor> => ({
    data: await readTensor(find(name)),
    shape: find(name).shape,
  });
  const ids = find('tokens');
  if (ids.type !== 'int64') {
    throw new EidosError('invalid_checkpoint', `'${file}' stores its tokens as ${ids.type}, not int64.`);
  }
  return {
    origin: 'stored',
    pixels: await floats('pixels'),
    tokens: { data: new BigInt64Array((await readBytes(ids)).buffer as ArrayBuffer), shape: ids.shape },
    images: normalizeRows(await floats('image_embeddings')),
    texts: normalizeRows(await floats('text_embeddings')),
  };
}

/** Noise and rows of random ids, the same everywhere. */
async function computedReferences(source: string, options: LoadOptions): Promise<References> {
  const clip = await loadClip(source, { ...options, device: 'cpu', dtype: 'fp32' });
  try {
    const { image, text } = clip.config.architecture;
    const random = randomNumbers(1);
    const count = 4;
    const picture = pictureShape(image);
    const pixels = {
      data: Float32Array.from({ length: count * elementCount(picture) }, () => 4 * random() - 2),
      shape: [count, ...picture],
    };
    const tokens = {
      data: BigInt64Array.from({ length: count * text.contextLength }, () =>
        BigInt(Math.floor(random() * text.vocabularySize)),
      ),
      shape: [count, text.contextLength],
    };
    const images = await clip.embedPixels(pixels);
    const texts = await clip.embedTokens(tokens);
    return { origin: 'computed', pixels, tokens, images, texts };
  } finally {
    await clip.close();
  }
}
