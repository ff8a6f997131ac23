/** The configuration files of an exported folder. */
import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { type Checkpoint, huggingFaceConfig, layouts, preprocessorConfig } from '../../checkpoint/index.ts';
import { EidosError } from '../../errors.ts';
import type { ClipArchitecture } from '../../models/architecture.ts';
import { exportFamily } from './programs.ts';

/**
 * Content of `config.json`: the published one where it is Hugging Face's, or what their CLIP can say about the
 * architecture. Other architectures run all the same, as the program says all that counts; then it is the family and the
 * sizes.
 */
export async function modelConfig({
  layout,
  configurationFiles,
  architecture,
}: Pick<Checkpoint, 'layout' | 'configurationFiles' | 'architecture'>): Promise<Record<string, unknown>> {
  const published = configurationFiles.find((path) => basename(path) === 'config.json');
  if (published !== undefined && layouts[layout].settings === 'hugging_face' && layout !== 'eidos') {
    return JSON.parse(await readFile(published, 'utf8')) as Record<string, unknown>;
  }
  try {
    return huggingFaceConfig(architecture).config;
  } catch (error) {
    if (!(error instanceof EidosError)) throw error;
    return sizes(architecture);
  }
}

/**
 * Content of `preprocessor_config.json`.
 * @throws EidosError `invalid_option` for preprocessing that Hugging Face's tools do not have.
 */
export function imageConfig({ preprocessing }: Pick<Checkpoint, 'preprocessing'>): Record<string, unknown> {
  return preprocessorConfig(preprocessing);
}

function sizes(architecture: ClipArchitecture): Record<string, unknown> {
  const { image, text, embeddingSize } = architecture;
  const family = exportFamily(architecture);
  return {
    architectures: [family === 'clip' ? 'CLIPModel' : 'SiglipModel'],
    model_type: family,
    projection_dim: embeddingSize,
    text_config: {
      model_type: `${family}_text_model`,
      hidden_size: text.width,
      num_hidden_layers: text.layers,
      ...(text.kind === 'averaging' ? {} : { num_attention_heads: text.heads }),
      max_position_embeddings: text.contextLength,
      vocab_size: text.vocabularySize,
    },
    vision_config: { model_type: `${family}_vision_model`, image_size: image.imageSize },
  };
}
