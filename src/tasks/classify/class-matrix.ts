/** The embeddings of class names, from prompts (Radford et al. 2021, section 3.1.4), kept on disk between runs. */
import { createHash } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { openWeights, readTensor, writeSafetensors } from '../../checkpoint/index.ts';
import { firstOfSameTokens } from '../../classifier/equal-names.ts';
import type { Clip } from '../../clip/clip.ts';
import { type Embeddings, meanOfGroups, normalizeRows } from '../../clip/embeddings.ts';
import { defaultCacheFolder } from '../../engine/cache-folder.ts';
import { EidosError } from '../../errors.ts';

export interface ClassMatrixOptions {
  /** Where matrices are kept, or false to keep none. @default $XDG_CACHE_HOME/eidos/classes, ~/.cache without it */
  classCache?: string | false;
  onWarning?: (message: string) => void;
}

/**
 * One unit vector a class, [classes, embeddingSize]: the mean of the unit vectors of its prompts, normalised again.
 * The same model, tokenizer and prompts give the stored matrix of an earlier run.
 * @param labels by which messages call the classes. @default their first prompts
 * @throws EidosError `invalid_option` for labels that are the same to the model's tokenizer
 */
export async function classMatrix(
  clip: Clip,
  prompts: readonly (readonly string[])[],
  {
    classCache = defaultCacheFolder('classes'),
    onWarning,
    labels = prompts.map(([sentence = '']) => sentence),
  }: ClassMatrixOptions & { labels?: readonly string[] } = {},
): Promise<Embeddings> {
  const file = classCache === false ? undefined : join(classCache, `${identity(clip, prompts)}.safetensors`);
  const kept = file === undefined ? undefined : await readMatrix(file, prompts.length, clip.embeddingSize);
  if (kept !== undefined) return kept;

  await refuseSameTokens(clip, labels, prompts);
  const owner = prompts.flatMap((own, label) => own.map(() => label));
  const each = await clip.embedTexts(prompts.flat(), onWarning === undefined ? {} : { onWarning });
  const matrix = normalizeRows(meanOfGroups(each, owner, prompts.length));
  if (file !== undefined) await keepMatrix(file, matrix);
  return matrix;
}

/** Two classes with the same vector would share their probability, whatever the picture shows. */
async function refuseSameTokens(
  clip: Clip,
  labels: readonly string[],
  prompts: readonly (readonly string[])[],
): Promise<void> {
  const firsts = await firstOfSameTokens(clip, prompts);
  const same = firsts.findIndex((first, index) => first !== index);
  if (same < 0) return;
  const first = firsts[same]!;
  const all = labels.filter((_, index) => firsts[index] === first).map((label) => `"${label}"`);
  throw new EidosError(
    'invalid_option',
    `The labels ${all.join(' and ')} are the same to this model, whose tokenizer makes equal tokens of them (capitals, composed letters and what is beyond its context make no difference): keep one of them.`,
  );
}

/** Everything that the numbers depend on. */
function identity({ config }: Clip, prompts: readonly (readonly string[])[]): string {
  const { fingerprint, layout, device, dtype, tokenizer = null, textRules = null } = config;
  return createHash('sha256')
    .update(JSON.stringify([3, fingerprint, layout, device, dtype, tokenizer, textRules, prompts]))
    .digest('hex')
    .slice(0, 40);
}

/** A file that is missing, damaged or of another shape counts as none: it is only a copy. */
async function readMatrix(file: string, rows: number, width: number): Promise<Embeddings | undefined> {
  try {
    const stored = (await openWeights(file)).tensors.get('class_matrix');
    if (stored?.shape[0] !== rows || stored.shape[1] !== width) return undefined;
    const data = await readTensor(stored);
    return data.every(Number.isFinite) ? { data, shape: [rows, width] } : undefined;
  } catch {
    return undefined;
  }
}

/** A folder that cannot be written to costs time on the next run, nothing else. */
async function keepMatrix(file: string, { data, shape }: Embeddings): Promise<void> {
  try {
    await mkdir(dirname(file), { recursive: true });
    await writeSafetensors(file, [{ name: 'class_matrix', type: 'float32', shape, data }]);
  } catch {}
}
