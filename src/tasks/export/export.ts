/** Writes a model as a folder that runs without eidos: ONNX programs and the files that transformers.js loads beside them. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { HubOptions } from '../../checkpoint/hub/settings.ts';
import { openCheckpoint } from '../../checkpoint/index.ts';
import { bundledModel, findModel, type LoadOptions } from '../../clip/load.ts';
import { EidosError } from '../../errors.ts';
import { imageConfig, modelConfig } from './configuration.ts';
import { exportPrograms, takesShortRows } from './programs.ts';
import { tokenizerFiles } from './tokenizer-files.ts';
import { writeWholeFolder } from './whole-folder.ts';
import { type ExportType, writeModel } from './write-model.ts';

export type { ExportType } from './write-model.ts';

export interface ExportOptions extends HubOptions, Pick<LoadOptions, 'activation'> {
  /** Number type of weights and computation; the file names say it as transformers.js expects. @default 'fp32' */
  dtype?: ExportType;
  /** Replace what the folder holds. @default false */
  force?: boolean;
  /** A vocabulary for weights that come without one: a folder, or OpenAI's bpe_simple_vocab_16e6.txt.gz. */
  tokenizer?: string;
  /** Told what a person should know. */
  onWarning?: (message: string) => void;
}

export interface ExportResult {
  model: string;
  folder: string;
  /** What was written, with sizes in bytes. */
  files: { name: string; bytes: number }[];
  /** How many tokens a sentence must have: 'any', or exactly this many (`padding: 'max_length'`). */
  tokens: 'any' | number;
}

/** What transformers.js puts after a program's name for each number type. */
const suffixes: { readonly [T in ExportType]: string } = { fp32: '', fp16: '_fp16', int8: '_int8' };

/**
 * @param source a folder, a weight file, a hub id, or nothing for the bundled model
 * @throws EidosError as `loadClip` does for the model; `invalid_option` for a folder that is not empty, an unknown
 *   number type, or preprocessing that transformers.js does not have
 */
export async function exportOnnx(
  source: string | undefined,
  folder: string,
  options: ExportOptions = {},
): Promise<ExportResult> {
  const { dtype = 'fp32', force = false, onWarning = () => {} } = options;
  if (!Object.hasOwn(suffixes, dtype)) {
    throw new EidosError(
      'invalid_option',
      `dtype is "${dtype}"; an export has one of ${Object.keys(suffixes).join(', ')}`,
    );
  }
  const model = source ?? bundledModel;
  const path = await findModel(model, options);
  const checkpoint = await openCheckpoint(
    path,
    options.activation === undefined ? {} : { activation: options.activation },
  );
  const { architecture, parameters } = checkpoint;
  const config = await modelConfig(checkpoint);
  const texts = await tokenizerFiles(options.tokenizer ?? checkpoint.folder, architecture.text);
  if (texts === undefined) {
    onWarning(
      `${model} has no tokenizer, so the exported text programs take token ids only: name one with --tokenizer, or put tokenizer.json and tokenizer_config.json into ${folder}`,
    );
  }
  const preprocessor = imageConfig(checkpoint);

  return writeWholeFolder(folder, { force }, async (target) => {
    await mkdir(join(target, 'onnx'));
    const files: ExportResult['files'] = [];
    const outside: Record<string, number> = {};
    for (const program of exportPrograms(architecture)) {
      const name = `onnx/${program.name}${suffixes[dtype]}.onnx`;
      const written = await writeModel(join(target, name), program, { weights: parameters, dtype });
      files.push({ name, bytes: written.bytes });
      if (written.dataBytes > 0) {
        files.push({ name: `${name}_data`, bytes: written.dataBytes });
        outside[`${program.name}${suffixes[dtype]}.onnx`] = 1;
      }
    }
    const external = { 'transformers.js_config': { use_external_data_format: outside } };
    const documents = {
      'config.json': json({ ...config, ...(Object.keys(outside).length === 0 ? {} : external) }),
      'preprocessor_config.json': json(preprocessor),
      ...texts,
    };
    for (const [name, text] of Object.entries(documents)) {
      await writeFile(join(target, name), text);
      files.push({ name, bytes: Buffer.byteLength(text) });
    }
    const tokens = takesShortRows(architecture) ? 'any' : architecture.text.contextLength;
    return { model, folder, files, tokens };
  });
}

function json(value: unknown): string {
  return `${JSON.stringify(value, undefined, 2)}\n`;
}
