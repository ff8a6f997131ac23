/** The model of a training as a folder that `loadClip` opens, and Hugging Face's tools where they know its kind. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { canonicalShapes, preprocessorConfig, writeModel } from '../../checkpoint/index.ts';
import type { RuntimeTensor } from '../../engine/engine.ts';
import { EidosError } from '../../errors.ts';
import type { FloatTensor } from '../../graph/tensor.ts';
import type { ClipArchitecture } from '../../models/architecture.ts';
import type { ImagePreprocessing } from '../../models/preprocessing.ts';
import { writeWholeFile, writing } from './whole-file.ts';

/** What a folder needs besides weights. */
export interface PublishedModel {
  architecture: ClipArchitecture;
  preprocessing: ImagePreprocessing;
  /** Contents of the tokenizer's files by name. */
  tokenizerFiles: Readonly<Record<string, string | Uint8Array>>;
  /** Weights by canonical name for what the training does not touch, such as an image tower that features stand for. */
  firstValues: ReadonlyMap<string, FloatTensor>;
}

/**
 * Finds out before a training begins whether its model can be written.
 * @throws EidosError `invalid_option` naming the field that the format cannot express
 */
export function requirePublishable(
  { architecture, preprocessing, firstValues }: PublishedModel,
  stateNames: readonly string[],
): void {
  preprocessorConfig(preprocessing);
  const known = new Set([...stateNames, ...firstValues.keys()]);
  const missing = [...canonicalShapes(architecture).keys()].find((name) => !known.has(name));
  if (missing !== undefined) {
    throw new EidosError(
      'invalid_option',
      `The training has no '${missing}', without which there is no model to write: begin with one that has it ("initialise").`,
    );
  }
}

/** The names under which the training's state has the weights to publish: averages where they are kept. */
export function publishedNames(
  architecture: ClipArchitecture,
  stateNames: ReadonlySet<string>,
): Map<string, string> {
  return new Map(
    [...canonicalShapes(architecture).keys()].map((name) => [
      name,
      stateNames.has(`ema:${name}`) ? `ema:${name}` : name,
    ]),
  );
}

/**
 * Writes the folder. Each file is replaced whole.
 * @param state what `publishedNames` names
 * @throws EidosError `write_failed`
 */
export async function publishModel(
  folder: string,
  model: PublishedModel,
  state: Readonly<Record<string, RuntimeTensor>>,
  notes: Record<string, string>,
): Promise<void> {
  const { architecture, preprocessing, tokenizerFiles } = model;
  const names = publishedNames(architecture, new Set(Object.keys(state)));
  const parameters = new Map(
    [...names].map(([name, stored]) => {
      const { shape, data } = (state[stored] ?? model.firstValues.get(name))!;
      return [name, { shape: [...shape], data: data as Float32Array }];
    }),
  );
  await writing(folder, async () => {
    await mkdir(folder, { recursive: true });
    await writeModel(folder, architecture, parameters, { preprocessing, metadata: notes });
  });
  for (const [name, content] of Object.entries(tokenizerFiles))
    await writeWholeFile(join(folder, name), content);
}
