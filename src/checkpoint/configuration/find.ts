/** Finds and reads the configuration files beside a checkpoint. */
import { existsSync } from 'node:fs';
import { basename, join } from 'node:path';
import { readJson } from '../files.ts';
import type { Configurations } from '../layouts/layout.ts';
import { looksLikeEidos, parseEidos } from './eidos.ts';
import { looksLikeHuggingFace, parseHuggingFace } from './hugging-face.ts';
import { looksLikeOpenAi, looksLikeOpenClip, parseOpenAiArguments, parseOpenClip } from './open-clip.ts';

export interface FoundConfigurations extends Configurations {
  /** The content of `preprocessor_config.json`, not yet validated, and where it lies. */
  preprocessor?: { file: string; value: unknown };
  /** Paths of all configuration files that were read. */
  files: string[];
}

/** The names under which configurations are published. `config.json` may be of any kind; its content tells. */
const names = ['config.json', 'open_clip_config.json', 'preprocessor_config.json'] as const;

/**
 * The configurations of a folder.
 * @throws EidosError `invalid_checkpoint` where one of them is malformed, naming file and field.
 */
export function findConfigurations(folder: string): Promise<FoundConfigurations> {
  return readConfigurations(names.map((name) => join(folder, name)).filter((file) => existsSync(file)));
}

/** The configurations in these files; errors as above. */
export async function readConfigurations(files: readonly string[]): Promise<FoundConfigurations> {
  const found: FoundConfigurations = { files: [...files] };
  for (const file of files) {
    const value = await readJson(file);
    if (basename(file) === 'preprocessor_config.json') found.preprocessor = { file, value };
    else addConfiguration(found, value, file);
  }
  return found;
}

/** Sorts a configuration by its content. Others (of a tokenizer, of a timm model) say nothing about a CLIP. */
export function addConfiguration(target: Configurations, value: unknown, file: string): void {
  if (looksLikeOpenClip(value)) target.openClip = parseOpenClip(value, file);
  else if (looksLikeOpenAi(value)) target.openClip ??= parseOpenAiArguments(value, file);
  else if (looksLikeEidos(value)) target.eidos = parseEidos(value, file);
  else if (looksLikeHuggingFace(value)) target.huggingFace = parseHuggingFace(value, file);
}
