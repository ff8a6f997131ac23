/** The model of a training as a folder that `loadClip` and Hugging Face's tools open. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { canonicalShapes, huggingFaceConfig, writeHuggingFace } from '../../checkpoint/index.ts';
import type { RuntimeTensor } from '../../engine/engine.ts';
import { EidosError } from '../../errors.ts';
import type { ClipArchitecture } from '../../models/architecture.ts';
import type { ImagePreprocessing } from '../../models/preprocessing.ts';
import { writeWholeFile, writing } from './whole-file.ts';

/** What a folder needs besides weights. */
export interface PublishedModel {
  architecture: ClipArchitecture;
  preprocessing: ImagePreprocessing;
  /** Contents of the tokenizer's files by name. */
  tokenizerFiles: Readonly<Record<string, string | Uint8Array>>;
}

/**
 * Finds out before a training begins whether its model can be written.
 * @throws EidosError `invalid_option` naming the field of the architecture that the format cannot express
 */
export function requirePublishable({ architecture, preprocessing }: PublishedModel): void {
  huggingFaceConfig(architecture, preprocessing);
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
      const tensor = state[stored];
      if (tensor === undefined)
        throw new EidosError('invalid_checkpoint', `The training has no parameter '${name}'.`);
      return [name, { shape: [...tensor.shape], data: tensor.data as Float32Array }];
    }),
  );
  await writing(folder, async () => {
    await mkdir(folder, { recursive: true });
    await writeHuggingFace(folder, architecture, parameters, { preprocessing, metadata: notes });
  });
  for (const [name, content] of Object.entries(tokenizerFiles))
    await writeWholeFile(join(folder, name), content);
}
