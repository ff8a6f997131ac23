/** Writes a model folder: `config.json`, `preprocessor_config.json`, `model.safetensors`. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { writeWhole } from '../disk/whole-file.ts';
import { EidosError } from '../errors.ts';
import type { ClipArchitecture } from '../models/architecture.ts';
import { clipPreprocessing, type ImagePreprocessing } from '../models/preprocessing.ts';
import { eidosConfig } from './configuration/eidos.ts';
import { huggingFaceConfig, preprocessorConfig } from './configuration/write-hugging-face-config.ts';
import { inEightBits } from './eight-bits.ts';
import { type ParameterValue, publishParameters } from './layouts/bind.ts';
import type { LayoutName } from './layouts/layout.ts';
import { type TensorEntry, writeSafetensors } from './write-safetensors.ts';

export interface WriteModelOptions {
  /** Number type in the file. @default 'float32' */
  type?: 'float32' | 'float16';
  /** Whether a tensor is kept in eight bits, a factor a row (eight-bits.ts); only eidos reads that. @default none is */
  eightBits?: (name: string, shape: readonly number[]) => boolean;
  /** How the model's pictures are prepared. @default CLIP's way */
  preprocessing?: ImagePreprocessing;
  metadata?: Record<string, string>;
}

/**
 * Writes the folder that `openCheckpoint` reads: as Hugging Face's `CLIPModel` where that can express the
 * architecture, so that other tools read it too, else in eidos' own layout. Tokenizer files are the caller's.
 */
export async function writeModel(
  folder: string,
  architecture: ClipArchitecture,
  parameters: ReadonlyMap<string, ParameterValue>,
  options: WriteModelOptions = {},
): Promise<void> {
  if (isExpressible(architecture)) return writeHuggingFace(folder, architecture, parameters, options);
  const preprocessing = options.preprocessing ?? { ...clipPreprocessing, size: architecture.image.imageSize };
  await writeFolder(folder, 'eidos', architecture, parameters, options, {
    config: eidosConfig(architecture),
    preprocessor: preprocessorConfig(preprocessing),
  });
}

/**
 * Writes the folder that `CLIPModel.from_pretrained` and `openCheckpoint` read; tokenizer files are the caller's.
 * @throws EidosError `invalid_option` naming the field of the architecture that Hugging Face's CLIP cannot express.
 */
export async function writeHuggingFace(
  folder: string,
  architecture: ClipArchitecture,
  parameters: ReadonlyMap<string, ParameterValue>,
  options: WriteModelOptions = {},
): Promise<void> {
  const files = huggingFaceConfig(architecture, options.preprocessing);
  await writeFolder(folder, 'hugging_face_clip', architecture, parameters, options, {
    ...files,
    config: { ...files.config, torch_dtype: options.type ?? 'float32' },
  });
}

async function writeFolder(
  folder: string,
  layout: LayoutName,
  architecture: ClipArchitecture,
  parameters: ReadonlyMap<string, ParameterValue>,
  { type = 'float32', eightBits = () => false, metadata }: WriteModelOptions,
  { config, preprocessor }: { config: Record<string, unknown>; preprocessor: Record<string, unknown> },
): Promise<void> {
  const entries: TensorEntry[] = [];
  for (const [name, { shape, data }] of publishParameters(layout, architecture, parameters)) {
    if (eightBits(name, shape)) entries.push(...inEightBits(name, shape, data));
    else entries.push({ name, type, shape, data });
  }
  await mkdir(folder, { recursive: true });
  await writeSafetensors(join(folder, 'model.safetensors'), entries, { format: 'pt', ...metadata });
  await writeJson(join(folder, 'config.json'), config);
  await writeJson(join(folder, 'preprocessor_config.json'), preprocessor);
}

function isExpressible(architecture: ClipArchitecture): boolean {
  try {
    huggingFaceConfig(architecture);
    return true;
  } catch (error) {
    if (error instanceof EidosError && error.code === 'invalid_option') return false;
    throw error;
  }
}

function writeJson(path: string, value: unknown): Promise<void> {
  return writeWhole(path, `${JSON.stringify(value, undefined, 2)}\n`);
}
