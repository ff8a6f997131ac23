/** The image tower that a training begins with where another file has it than the rest: a CLIP's, or an image net's. */
import { isDeepStrictEqual } from 'node:util';
import {
  type Checkpoint,
  type ImageClassifier,
  openAnyCheckpoint,
  parameterShape,
  readParameter,
} from '../../checkpoint/index.ts';
import { findModel } from '../../clip/load.ts';
import { EidosError } from '../../errors.ts';
import type { BoundTensor, FloatTensor } from '../../graph/tensor.ts';
import type { ClipArchitecture, ImageArchitecture } from '../../models/architecture.ts';
import { parametersOfClip } from '../../models/parameters.ts';
import { readCheckpoint } from './checkpoints.ts';
import { folderOfCheckpoint } from './places.ts';

export interface FirstImageTower {
  opened: Checkpoint | ImageClassifier;
  /** Where it is a checkpoint of a training: what that has learned. */
  state?: ReadonlyMap<string, FloatTensor>;
}

/** @param source a file or folder, a name that `loadClip` knows, or the checkpoint of a training */
export async function openFirstImageTower(source: string): Promise<FirstImageTower> {
  const folder = folderOfCheckpoint(source);
  if (folder === undefined) return { opened: await openAnyCheckpoint(await findModel(source)) };
  const { state } = await readCheckpoint(source);
  return { opened: await openAnyCheckpoint(folder), state };
}

/**
 * Refuses a beginning of another kind of tower, or of another form: what weights do not show (strides, activations)
 * would be wrong without a word. Side of the pictures, pooling and projection may differ.
 * @throws EidosError `invalid_option`
 */
export function requireFittingTower({ opened }: FirstImageTower, image: ImageArchitecture): void {
  const given = opened.architecture.image;
  const fields = Object.keys({ ...given, ...image }).filter((field) => !mayDiffer.has(field));
  const differing = fields.find(
    (field) => !isDeepStrictEqual(Reflect.get(given, field), Reflect.get(image, field)),
  );
  if (differing === undefined) return;
  throw new EidosError(
    'invalid_option',
    `"initialise.image": ${opened.files[0]} has an image tower whose "${differing}" is ${shown(given, differing)}, "architecture.image" says ${shown(image, differing)}. Give the architecture that "eidos inspect --json" shows of it.`,
  );
}

const mayDiffer: ReadonlySet<string> = new Set(['imageSize', 'pool', 'projection']);

function shown(image: ImageArchitecture, field: string): string {
  return JSON.stringify(Reflect.get(image, field)) ?? 'missing';
}

/**
 * Weights by canonical name, `image.…` alone. The projection begins anew, as a whole, where the file has none of its
 * shape.
 * @throws EidosError `invalid_option` where the tower itself does not fit
 */
export async function imageTowerValues(
  first: FirstImageTower,
  architecture: ClipArchitecture,
): Promise<Map<string, FloatTensor>> {
  requireFittingTower(first, architecture.image);
  const { opened, state } = first;
  const wanted = parametersOfClip(architecture).filter(({ name }) => name.startsWith('image.'));
  const fits = ({ name, shape }: { name: string; shape: readonly number[] }): boolean => {
    const stored = opened.parameters.get(name);
    return stored !== undefined && parameterShape(stored).join() === shape.join();
  };
  const isProjection = ({ name }: { name: string }): boolean => name.startsWith('image.projection.');
  const keepsProjection = wanted.filter(isProjection).every(fits);
  const values = new Map<string, FloatTensor>();
  for (const parameter of wanted) {
    if (isProjection(parameter) && !keepsProjection) continue;
    const { name, shape } = parameter;
    const stored = opened.parameters.get(name);
    if (stored === undefined || !fits(parameter)) {
      throw new EidosError(
        'invalid_option',
        `"initialise.image": ${opened.files[0]} has ${stored === undefined ? 'no' : `[${stored.shape}] as`} ${name}, the architecture [${shape}]. Give the architecture that "eidos inspect --json" shows of it.`,
      );
    }
    values.set(name, { data: await learnedNumbers(name, state, stored), shape: [...shape] });
  }
  return values;
}

/** What an earlier training has learned of a parameter, its average where it kept one; else what the model's file has. */
export async function learnedNumbers(
  name: string,
  state: ReadonlyMap<string, FloatTensor> | undefined,
  stored: BoundTensor,
): Promise<Float32Array> {
  const learned = state?.get(`ema:${name}`) ?? state?.get(name);
  return learned?.data ?? (await readParameter(stored));
}
