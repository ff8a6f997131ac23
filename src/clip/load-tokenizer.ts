/** A model's tokenizer alone: `loadTokenizer` of the public interface. */

import { type HubOptions, hubOptions } from '../checkpoint/hub/settings.ts';
import { parseSource } from '../checkpoint/hub/source.ts';
import { openCheckpoint } from '../checkpoint/index.ts';
import { EidosError, requireKnownOptions } from '../errors.ts';
import { loadTokenizer as readTokenizer } from '../text/load-tokenizer.ts';
import type { Tokenizer } from '../text/tokenizer.ts';
import { bundledModel, findModel } from './load.ts';
import { findTokenizer } from './tokenizer.ts';

export interface LoadTokenizerOptions extends HubOptions {
  /** Tokens a row. @default the model's; where there is no model beside the vocabulary, `model_max_length`, else 77 */
  contextLength?: number | undefined;
}

/**
 * The tokenizer of a model, or of a folder that holds a vocabulary alone.
 * @param source as in `loadClip`: nothing (the bundled model), a folder, a file, or a hub id
 * @throws EidosError `invalid_tokenizer`, `not_found`, and what the hub refuses
 */
export async function loadTokenizer(
  source: string = bundledModel,
  options: LoadTokenizerOptions = {},
): Promise<Tokenizer> {
  requireKnownOptions<LoadTokenizerOptions>('loadTokenizer', options, loadTokenizerOptions);
  if (typeof source !== 'string') {
    throw new EidosError(
      'invalid_option',
      `loadTokenizer takes a folder, a file or a hub id, not ${JSON.stringify(source)}.`,
    );
  }
  const { contextLength, ...hub } = options;
  if (contextLength === undefined && source !== bundledModel && parseSource(source).kind === 'hub') {
    const { resolveTokenizer } = await import('../checkpoint/hub/resolve.ts');
    return readTokenizer(await resolveTokenizer(source, hub));
  }
  const path = await findModel(source, hub);
  if (contextLength !== undefined) return readTokenizer(path, { contextLength });
  const checkpoint = await openCheckpoint(path).catch((error: unknown) => {
    if (error instanceof EidosError && error.code === 'not_found') return undefined;
    throw error;
  });
  return checkpoint === undefined ? readTokenizer(path) : findTokenizer(checkpoint, hub);
}

/** What may be said; a name that is not here is refused. */
const loadTokenizerOptions = {
  contextLength: true,
  ...hubOptions,
} as const;
