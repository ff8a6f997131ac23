/** The models that an index works with: its own, opened when first needed, and how relevant their cosines are. */

import { type Calibration, loadCalibration } from '../../classifier/relevance/calibration.ts';
import type { Clip } from '../../clip/clip.ts';
import { bundledModel, loadClip } from '../../clip/load.ts';
import { EidosError } from '../../errors.ts';
import type { About } from './store/about.ts';
import type { OpenIndexOptions } from './types.ts';

/** The models of an index: its own one, opened when first needed, and those given by the caller, which stay open. */
export interface Models {
  /** @param name as the index calls it, where that is known */
  clip(name?: string): Promise<Clip>;
  /** Another model, for embedding everything again. */
  open(name: string): Promise<Clip>;
  /** Makes the model of the index another one. */
  replace(clip: Clip): void;
  calibration(model: About['model']): Promise<Calibration>;
  close(): Promise<void>;
}

export function createModels(
  { clip: given, model, loadModel = (name) => loadClip(name) }: OpenIndexOptions,
  nameInIndex: () => Promise<string | undefined>,
): Models {
  const opened = new Set<Promise<Clip>>();
  let own: Promise<Clip> | undefined = given === undefined ? undefined : Promise.resolve(given);
  const calibrations = new Map<string, Promise<Calibration>>();
  const load = (name: string): Promise<Clip> => {
    const clip = loadModel(name);
    opened.add(clip);
    clip.catch(() => opened.delete(clip));
    return clip;
  };
  return {
    clip(name) {
      own ??= (async () => load(model ?? name ?? (await nameInIndex()) ?? bundledModel))().catch(
        (error: unknown) => {
          own = undefined; // it may be there, or the network back, the next time
          throw error;
        },
      );
      return own;
    },
    open: load,
    replace(clip) {
      own = Promise.resolve(clip);
    },
    calibration(of) {
      let calibration = calibrations.get(of.fingerprint);
      if (calibration === undefined) {
        calibration = loadCalibration(of);
        calibrations.set(of.fingerprint, calibration);
      }
      return calibration;
    },
    async close() {
      for (const clip of opened) await clip.then((open) => open.close()).catch(() => {});
    },
  };
}

/** @throws EidosError `model_mismatch` */
export function requireSameModel(
  path: string,
  clip: Clip,
  made: { name: string; fingerprint: string },
): void {
  const { model, fingerprint } = clip.config;
  if (fingerprint === made.fingerprint) return;
  const other = model === made.name ? `other weights of ${model} than there are now` : made.name;
  throw new EidosError(
    'model_mismatch',
    `The index ${path} was made with ${other}, whose vectors do not compare with those of ${model}: \`eidos index --index ${path} --model ${model}\` embeds its pictures again.`,
  );
}
