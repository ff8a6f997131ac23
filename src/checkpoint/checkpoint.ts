/** Opens a published CLIP: finds its weights and configuration, recognises the layout, names every parameter. */
import { createHash } from 'node:crypto';
import { readdir, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { EidosError } from '../errors.ts';
import type { BoundTensor, StoredTensor } from '../graph/tensor.ts';
import type { ClipArchitecture, ImageClassifierArchitecture } from '../models/architecture.ts';
import type { ImagePreprocessing } from '../models/preprocessing.ts';
import { type FoundConfigurations, findConfigurations, readConfigurations } from './configuration/find.ts';
import { huggingFacePreprocessing, openClipPreprocessing } from './configuration/preprocessing.ts';
import { withRestoredRows } from './eight-bits.ts';
import type { Weights } from './formats/format.ts';
import { bindImageClassifier, bindParameters } from './layouts/bind.ts';
import type { ImageClassifierLayoutName, LayoutName, LayoutOptions } from './layouts/layout.ts';
import {
  architectureFromShapes,
  imageClassifierFromShapes,
  imageClassifierLayouts,
  layouts,
  withoutPrefix,
} from './layouts/table.ts';
import { readSamples, type Sample } from './tensors.ts';
import { chooseWeights, weightNames } from './weight-names.ts';
import { openWeights } from './weights.ts';

/** A published CLIP. */
export interface Checkpoint extends Opened {
  layout: LayoutName;
  architecture: ClipArchitecture;
}

/** A published image net without words, whose parameters are those of its image tower and of its classifier. */
export interface ImageClassifier extends Opened {
  layout: ImageClassifierLayoutName;
  architecture: ImageClassifierArchitecture;
}

interface Opened {
  /** Canonical name → where the parameter lies; complete for the architecture. */
  parameters: Map<string, BoundTensor>;
  /** Tensors of the file that the towers do not need, under the file's names. */
  unused: string[];
  /** Real paths of all files that hold numbers. */
  files: string[];
  /** Where the weights were asked for; tokenizer files lie there. */
  folder: string;
  /** Paths of the configuration files that were read. */
  configurationFiles: string[];
  preprocessing: ImagePreprocessing;
  /** Text and numbers stored beside the tensors. */
  metadata: Record<string, string>;
  /**
   * SHA-256 in hexadecimal over architecture, names, types, shapes and samples of every parameter: two checkpoints with
   * the same one give the same embeddings, short of a deliberate forgery. Cheap however large the file.
   */
  fingerprint: string;
}

/**
 * @param source a weight file, a shard index, or a folder that holds one, beside which configuration files are looked
 * for; or all files one by one: weights (or all shards) and configurations.
 * @throws EidosError `not_found`, `invalid_checkpoint`, `unsupported_checkpoint` (naming the model family) or
 * `config_mismatch` (naming the field, its value, and the tensor with its shape).
 */
export async function openCheckpoint(
  source: string | readonly string[],
  options: LayoutOptions = {},
): Promise<Checkpoint> {
  const opened = await openAnyCheckpoint(source, options);
  if (isClip(opened)) return opened;
  throw new EidosError(
    'unsupported_checkpoint',
    `'${opened.files[0]}' is an image net (${opened.layout}) without a text tower: it names ${opened.architecture.classes} classes and compares with no words. A training can begin its image tower with it: "initialise": { "image": { "from": … } }.`,
  );
}

/** Whether a checkpoint has both towers. */
export function isClip(opened: Checkpoint | ImageClassifier): opened is Checkpoint {
  return 'text' in opened.architecture;
}

/**
 * A CLIP, or an image net that is published without words.
 * @param source as for `openCheckpoint`
 * @throws EidosError as `openCheckpoint` does
 */
export async function openAnyCheckpoint(
  source: string | readonly string[],
  options: LayoutOptions = {},
): Promise<Checkpoint | ImageClassifier> {
  const { path, folder, weights, found } = await openSource(source);
  weights.tensors = await withRestoredRows(withoutWrappers(weights.tensors, path));
  const shapes = new Map([...weights.tensors].map(([name, tensor]) => [name, tensor.shape]));
  const common = { files: weights.files, folder, metadata: weights.metadata };
  const net = inFile(path, () => imageClassifierFromShapes(shapes));
  if (net !== undefined) {
    const { layout, prefix, architecture } = net;
    const bound = inFile(path, () =>
      bindImageClassifier(layout, architecture, withoutPrefix(weights.tensors, prefix)),
    );
    return {
      ...common,
      layout,
      architecture,
      parameters: bound.parameters,
      unused: unusedIn(weights, prefix, bound.unused),
      configurationFiles: [],
      preprocessing: imageClassifierLayouts[layout].preprocessing(architecture),
      fingerprint: await fingerprint(architecture, bound.parameters),
    };
  }
  const { layout, prefix, architecture } = inFile(path, () => architectureFromShapes(shapes, found, options));
  const { parameters, unused } = inFile(path, () =>
    bindParameters(layout, architecture, withoutPrefix(weights.tensors, prefix)),
  );
  return {
    ...common,
    layout,
    architecture,
    parameters,
    unused: unusedIn(weights, prefix, unused),
    configurationFiles: found.files,
    preprocessing: preprocessingOf(layout, architecture, found),
    fingerprint: await fingerprint(architecture, parameters),
  };
}

/** What torch.compile puts before the names of a submodule that it has compiled, wherever that stands. */
const wrapper = '_orig_mod.';

/** @throws EidosError `invalid_checkpoint` where two tensors would have one name */
function withoutWrappers<T>(tensors: ReadonlyMap<string, T>, path: string): Map<string, T> {
  const plain = new Map<string, T>();
  for (const [name, tensor] of tensors) {
    const own = name.replaceAll(wrapper, '');
    if (plain.has(own)) {
      throw new EidosError(
        'invalid_checkpoint',
        `'${path}' has '${own}' twice: once as it is, once under '${wrapper}', which compiled modules have.`,
      );
    }
    plain.set(own, tensor);
  }
  return plain;
}

/** The names of a file that nothing reads: those that a layout leaves out, and those before which its prefix is missing. */
function unusedIn({ tensors }: Weights, prefix: string, unused: readonly string[]): string[] {
  const outside = [...tensors.keys()].filter((name) => !name.startsWith(prefix));
  return [...unused.map((name) => prefix + name), ...outside];
}

/** What the settings beside the weights say, where they are of the layout's own tools; else the layout's defaults. */
function preprocessingOf(
  layout: LayoutName,
  architecture: ClipArchitecture,
  { openClip, preprocessor }: FoundConfigurations,
): ImagePreprocessing {
  const { settings, preprocessing } = layouts[layout];
  const defaults = preprocessing(architecture);
  switch (settings) {
    case 'open_clip':
      return openClip?.preprocess === undefined
        ? defaults
        : openClipPreprocessing(openClip.preprocess, openClip.file, defaults);
    case 'hugging_face':
      return preprocessor === undefined
        ? defaults
        : huggingFacePreprocessing(preprocessor.value, preprocessor.file, defaults);
  }
}

interface OpenedSource {
  /** For messages. */
  path: string;
  folder: string;
  weights: Weights;
  found: FoundConfigurations;
}

async function openSource(source: string | readonly string[]): Promise<OpenedSource> {
  if (typeof source === 'string') {
    const { path, folder } = await findWeights(source);
    return { path, folder, weights: await openWeights(path), found: await findConfigurations(folder) };
  }
  const isConfiguration = (file: string) => file.endsWith('.json') && !file.endsWith('.index.json');
  const [path, ...others] = source.filter((file) => !isConfiguration(file));
  if (path === undefined) throw new EidosError('not_found', 'No weight file is among the files given.');
  const weights = await openWeights(path);
  for (const other of others) {
    const more = await openWeights(other);
    for (const [name, tensor] of more.tensors) {
      if (weights.tensors.has(name)) {
        throw new EidosError(
          'invalid_checkpoint',
          `'${other}' holds '${name}', which another of the files holds too.`,
        );
      }
      weights.tensors.set(name, tensor);
    }
    weights.files.push(...more.files);
  }
  const found = await readConfigurations(source.filter(isConfiguration));
  return { path, folder: dirname(path), weights, found };
}

async function findWeights(source: string): Promise<{ path: string; folder: string }> {
  const found = await stat(source).catch(() => undefined);
  if (found === undefined) throw new EidosError('not_found', `There is no file or folder '${source}'.`);
  if (!found.isDirectory()) return { path: source, folder: dirname(source) };
  const { name, candidates } = chooseWeights(
    await readdir(source).catch((cause: unknown) => {
      throw new EidosError('not_found', `The folder '${source}' cannot be read.`, { cause });
    }),
  );
  if (name !== undefined) return { path: join(source, name), folder: source };
  throw new EidosError(
    'not_found',
    candidates.length === 0
      ? `The folder '${source}' holds no weights (${weightNames.join(', ')}).`
      : `The folder '${source}' holds several weight files (${candidates.slice(0, 5).join(', ')}); name one of them.`,
  );
}

/** Errors about tensors get the name of the file they are in. */
function inFile<T>(path: string, action: () => T): T {
  try {
    return action();
  } catch (error) {
    if (!(error instanceof EidosError)) throw error;
    throw new EidosError(error.code, `${basename(path)}: ${error.message}`, { cause: error });
  }
}

/** Bytes taken from the beginning, the middle and the end of every parameter. */
const sampleLength = 64;

async function fingerprint(
  architecture: ClipArchitecture | ImageClassifierArchitecture,
  parameters: Map<string, BoundTensor>,
): Promise<string> {
  const names = [...parameters.keys()].sort();
  const places = names.map((name) => samplesOf(parameters.get(name)!));
  const bytes = (await readSamples(places.flat())).values();
  const hash = createHash('sha256');
  hash.update(JSON.stringify(architecture));
  names.forEach((name, i) => {
    const { type, shape, transposed } = parameters.get(name)!;
    hash.update(`\n${name} ${type} ${shape} ${transposed === true}\n`);
    for (const _ of places[i]!) hash.update(bytes.next().value!);
  });
  return hash.digest('hex');
}

function samplesOf(tensor: StoredTensor): Sample[] {
  const last = Math.max(0, tensor.byteLength - sampleLength);
  const starts = new Set([0, Math.floor(last / 2), last]);
  return [...starts].map((start) => ({ tensor, start, length: sampleLength }));
}
