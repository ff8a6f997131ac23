/** What tasks that look into a model need besides its embeddings: the engine that runs programs, and where its weights lie. */
import type { Engine } from '../engine/engine.ts';
import { EidosError } from '../errors.ts';
import type { BoundTensor } from '../graph/tensor.ts';
import type { Clip } from './clip.ts';

export interface ClipInside {
  engine: Engine;
  /** By canonical name. */
  weights: ReadonlyMap<string, BoundTensor>;
}

const insides = new WeakMap<Clip, ClipInside>();

export function keepInside(clip: Clip, inside: ClipInside): Clip {
  insides.set(clip, inside);
  return clip;
}

/** @throws EidosError `invalid_option` for what `loadClip` did not make */
export function insideOf(clip: Clip): ClipInside {
  const inside = insides.get(clip);
  if (inside !== undefined) return inside;
  throw new EidosError('invalid_option', 'This needs a model as loadClip opens it.');
}
