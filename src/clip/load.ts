/** Opens a model: finds its files, recognises what it is, and makes it ready to run. */
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type HubOptions, hubOptions } from '../checkpoint/hub/settings.ts';
import { type Checkpoint, openCheckpoint, readParameter } from '../checkpoint/index.ts';
import { createDeviceEngine } from '../engine/compile.ts';
import type { Device, NumberType } from '../engine/devices.ts';
import type { LoadMode } from '../engine/engine.ts';
import { EidosError, requireKnownOptions } from '../errors.ts';
import type { Activation } from '../models/architecture.ts';
import type { TextRules } from '../text/rules.ts';
import type { Tokenizer } from '../text/tokenizer.ts';
import { type Clip, createClip } from './clip.ts';
import { createEncoders } from './encoders.ts';
import { anotherCopy } from './finite.ts';
import { keepInside } from './inside.ts';

export interface LoadOptions extends HubOptions {
  /** Where it runs; `auto` takes the best that works. A device that is missing is an error. @default 'cpu' */
  device?: Device | 'auto';
  /** Number type of the computation; int8 is fast on CPUs, fp16 on graphics cards. @default 'fp32' */
  dtype?: NumberType;
  /** Threads of one run. @default the number of processors */
  threads?: number;
  /**
   * - `fast-start`: weights are used where they lie in the file; opens at once, runs some 10 % slower.
   * - `fast-run`: weights are rearranged for this processor when the model is opened.
   * - `cached`: the same, kept on disk for the next time.
   * @default 'fast-run'
   */
  load?: LoadMode;
  /** Where packed programs are kept. @default $XDG_CACHE_HOME/eidos/programs, ~/.cache without it */
  programCache?: string;
  /** A tokenizer for weights that come without one: a folder, or OpenAI's bpe_simple_vocab_16e6.txt.gz. */
  tokenizer?: string;
  /** How texts are cleaned before they are cut into tokens. @default what the tokenizer's files say */
  textRules?: TextRules;
  /** The non-linearity, for weights whose files do not say it. @default see the layout */
  activation?: Activation;
  /** The largest picture that is decoded where a call does not say it, in pixels. @default 250,000,000 */
  maxPixels?: number;
}

const loadOptions = {
  device: true,
  dtype: true,
  threads: true,
  load: true,
  programCache: true,
  tokenizer: true,
  textRules: true,
  activation: true,
  maxPixels: true,
  ...hubOptions,
} as const;

/** The model that comes with eidos. */
export const bundledModel = 'eidos-small';

/** Its folder; from `src` and from `dist` alike. */
export function bundledFolder(): string {
  return fileURLToPath(new URL(`../../models/${bundledModel}`, import.meta.url));
}

/**
 * @param source nothing for the bundled model, a folder, a weight file, or a hub id like
 *   `openai/clip-vit-base-patch32`
 * @throws EidosError `not_found`, `invalid_checkpoint`, `unsupported_checkpoint`, `config_mismatch`,
 *   `not_finite` (a temperature that is no number), `device_unavailable`, `dtype_unavailable`, `offline`,
 *   `download_failed`, `checksum_mismatch`
 */
export async function loadClip(source?: string, options?: LoadOptions): Promise<Clip>;
/** The bundled model. */
export async function loadClip(options: LoadOptions): Promise<Clip>;
export async function loadClip(
  first: string | LoadOptions = bundledModel,
  second: LoadOptions = {},
): Promise<Clip> {
  const [source, options] = typeof first === 'string' ? [first, second] : [bundledModel, first];
  requireKnownOptions<LoadOptions>('loadClip', options, loadOptions);
  const { device = 'cpu', dtype = 'fp32', load = 'fast-run', threads, programCache } = options;
  const engine = await createDeviceEngine({
    device,
    dtype,
    ...(threads === undefined ? {} : { threads }),
    ...(programCache === undefined ? {} : { programCache }),
  });
  try {
    const path = await findModel(source, options);
    const checkpoint = await openCheckpoint(
      path,
      options.activation === undefined ? {} : { activation: options.activation },
    );
    const { architecture, parameters } = checkpoint;
    if (checkpoint.unused.includes('decoder.film_mul.weight')) {
      throw new EidosError(
        'unsupported_checkpoint',
        `'${source}' is a CLIPSeg: a CLIP with a decoder that draws masks, which eidos does not have. The CLIP alone is in the layout of its own repository, 'openai/clip-vit-base-patch16'.`,
      );
    }
    const logits = await readLogitParameters(checkpoint, source);
    let tokenizer: Promise<Tokenizer> | undefined;
    const clip = createClip({
      config: {
        model: source,
        architecture,
        preprocessing: checkpoint.preprocessing,
        layout: checkpoint.layout,
        fingerprint: checkpoint.fingerprint,
        tokenizer: options.tokenizer === undefined ? undefined : resolve(options.tokenizer),
        textRules: options.textRules,
        maxPixels: options.maxPixels,
        device: engine.device,
        passedOver: engine.passedOver,
        dtype,
      },
      ...logits,
      engine,
      encoders: createEncoders(engine, architecture, parameters, { model: source, dtype, load }),
      tokenizer: () => {
        tokenizer ??= import('./tokenizer.ts')
          .then(({ findTokenizer }) => findTokenizer(checkpoint, options))
          .catch((error: unknown) => {
            tokenizer = undefined; // it may be there, or the network back, the next time
            throw error;
          });
        return tokenizer;
      },
    });
    return keepInside(clip, { engine, weights: parameters });
  } catch (error) {
    await engine.close();
    throw error;
  }
}

/**
 * The folder or file of a model, brought into the hub's cache where need be.
 * @param source as for `loadClip`
 */
export async function findModel(source: string = bundledModel, options: HubOptions = {}): Promise<string> {
  if (source === bundledModel) return bundledFolder();
  const { resolveModel } = await import('../checkpoint/hub/resolve.ts');
  return resolveModel(source, options);
}

async function readLogitParameters(
  { parameters }: Checkpoint,
  model: string,
): Promise<{ logitScale: number; logitBias: number }> {
  const read = async (name: string): Promise<number> => {
    const tensor = parameters.get(name);
    return tensor === undefined ? 0 : (await readParameter(tensor))[0]!;
  };
  const [scale, logitBias] = [await read('logit_scale'), await read('logit_bias')];
  const logitScale = Math.exp(scale);
  if (!Number.isFinite(logitScale) || logitScale === 0 || !Number.isFinite(logitBias)) {
    throw new EidosError(
      'not_finite',
      `The temperature of ${model} is no number that cosines can be multiplied with: its logit_scale is ${scale}, which gives a factor of ${logitScale}, and its logit_bias ${logitBias}. ${anotherCopy}`,
    );
  }
  return { logitScale, logitBias };
}
