/** The locked image tower of a training as a program: its weights are constants, so that the engine can fold them. */
import { createHash } from 'node:crypto';
import { compileGraph } from '../../engine/compile.ts';
import { createEngine } from '../../engine/engine.ts';
import { EidosError } from '../../errors.ts';
import { symbolic } from '../../graph/dimension.ts';
import { input } from '../../graph/operations.ts';
import { type BoundTensor, type FloatTensor, floatsInMemory } from '../../graph/tensor.ts';
import { parametersOf } from '../../graph/value.ts';
import type { ClipArchitecture } from '../../models/architecture.ts';
import { imageFeatures, imageFeatureWidth } from '../../models/image/encoder.ts';
import type { ImagePreprocessing } from '../../models/preprocessing.ts';
import { pictureShape } from '../../models/sides.ts';
import type { LockedTower } from '../data/features/ask-tower.ts';

export interface OpenLockedTower extends LockedTower {
  close(): Promise<void>;
}

/**
 * @param values weights by canonical name, those of the locked tower among them
 * @param threads of the network
 * @throws EidosError `invalid_option` where weights are missing or the tower has no features, `engine_failed`
 */
export async function openLockedTower(
  architecture: Pick<ClipArchitecture, 'image'>,
  preprocessing: ImagePreprocessing,
  values: ReadonlyMap<string, FloatTensor>,
  threads: number | undefined,
): Promise<OpenLockedTower> {
  const { image } = architecture;
  const picture = pictureShape(image);
  const features = imageFeatures(architecture, input('pixels', [symbolic('n'), ...picture]));
  const weights = new Map<string, BoundTensor>();
  const hash = createHash('sha256').update(JSON.stringify([features.shape.slice(1), preprocessing]));
  for (const { attributes } of parametersOf([features])) {
    const { name } = attributes;
    const value = values.get(name);
    if (value === undefined) {
      throw new EidosError(
        'invalid_option',
        `imageTower: of kind "features" it is locked, and it has no '${name}' to begin with: name a model or an image net that has one ("initialise").`,
      );
    }
    const { data, shape } = value;
    weights.set(name, { name, shape, ...floatsInMemory(data) });
    hash.update(`${name} ${shape}\n`).update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  }
  // What is no number, such as strides and the way of pooling, changes the features as well.
  hash.update(JSON.stringify(withoutProjection(image)));
  const engine = createEngine(threads === undefined ? {} : { threads });
  try {
    const session = await compileGraph(engine, { features }, weights);
    return {
      fingerprint: hash.digest('hex').slice(0, 16),
      width: imageFeatureWidth(image),
      async see(pixels, count) {
        const feeds = { pixels: { type: 'float32' as const, data: pixels, shape: [count, ...picture] } };
        const outputs = await session.run(feeds, { fetches: ['features'], transfer: ['pixels'] });
        return outputs.features!.data as Float32Array;
      },
      close: () => engine.close(),
    };
  } catch (error) {
    await engine.close();
    throw error;
  }
}

/** What is above the features leaves them as they are. */
function withoutProjection(image: ClipArchitecture['image']): object {
  return 'projection' in image ? { ...image, projection: undefined } : image;
}
