/** All sentences without pictures that a configuration names, with what a text teacher says of them. */
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { defaultCacheFolder } from '../../../engine/cache-folder.ts';
import { EidosError } from '../../../errors.ts';
import type { DataConfig } from '../config.ts';
import type { SentenceSourceConfig } from './config.ts';
import { readSentences, type SentenceFile } from './sentence-files.ts';
import { askCommand } from './text-command.ts';
import { createTextList, textsIn } from './text-list.ts';
import { openVectorFile, type VectorFile } from './vectors.ts';

/** A file of sentences, and where their vectors lie. */
export interface SentenceSource extends SentenceFile {
  vectors?: {
    file: VectorFile;
    /** The row of each sentence. */
    rows: Uint32Array;
  };
}

export interface OpenSentencesOptions {
  /** Whether anybody asks for the teacher's vectors. */
  vectors: boolean;
  signal?: AbortSignal | undefined;
  onProgress?: ((source: string, done: number, total: number) => void) | undefined;
}

type SentencesConfig = Pick<DataConfig, 'sentences' | 'textTeacher' | 'cache'>;

/**
 * @throws EidosError `not_found`, `invalid_option`, `config_mismatch` for what is missing, malformed or of another size;
 * `engine_failed`, `write_failed`, `aborted` where a command is asked
 */
export async function openSentences(
  config: SentencesConfig,
  { vectors, signal, onProgress }: OpenSentencesOptions,
): Promise<SentenceSource[]> {
  const sources: SentenceSource[] = [];
  for (const own of config.sentences) {
    const source = await readSentences(own);
    const known = vectors
      ? await vectorsOf(source, own, config, {
          signal,
          onProgress: (done, total) => onProgress?.(source.name, done, total),
        })
      : undefined;
    sources.push(known === undefined ? source : { ...source, vectors: known });
  }
  requireOneWidth(sources);
  return sources;
}

/** Numbers of a vector, where there are any. */
export function widthOfVectors(sources: readonly SentenceSource[]): number | undefined {
  return sources.find(({ vectors }) => vectors !== undefined)?.vectors?.file.width;
}

async function vectorsOf(
  source: SentenceFile,
  { vectors }: SentenceSourceConfig,
  { textTeacher = {}, cache }: SentencesConfig,
  options: { signal: AbortSignal | undefined; onProgress: (done: number, total: number) => void },
): Promise<SentenceSource['vectors']> {
  const { command, folder = '.', width } = textTeacher;
  if (vectors === false) return undefined;
  if (vectors !== undefined) {
    return { file: await openVectorFile(vectors, { width, rows: source.rows }), rows: source.row };
  }
  if (command === undefined || width === undefined) return undefined;
  const { texts, rows } = different(source);
  const kept =
    textTeacher.cache ?? (cache === undefined ? defaultCacheFolder('sentences') : join(cache, 'sentences'));
  const file = await askCommand(texts, { command, folder, width }, { cache: kept, ...options });
  return { file, rows };
}

/** Every text once, and the place of each sentence among them. */
function different({ texts, path }: SentenceFile) {
  const places = new Map<string, number>();
  const list = createTextList(path);
  const rows = Uint32Array.from(textsIn(texts), (text) => {
    const known = places.get(text);
    if (known !== undefined) return known;
    list.add(text);
    places.set(text, places.size);
    return places.size - 1;
  });
  return { texts: list.finish(), rows };
}

function requireOneWidth(sources: readonly SentenceSource[]): void {
  const width = widthOfVectors(sources);
  const other = sources.find(({ vectors }) => vectors !== undefined && vectors.file.width !== width);
  if (other === undefined) return;
  throw new EidosError(
    'config_mismatch',
    `${other.vectors!.file.path} has ${other.vectors!.file.width} numbers a row, vectors before it ${width}: one teacher is wanted.`,
  );
}

/** What all sentences are and in which order they lie, as a short text that others do not have. */
export function identityOfSentences(sources: readonly SentenceSource[]): string {
  const hash = createHash('sha256');
  for (const { texts, line } of sources) {
    hash.update(`${texts.length} ${line.at(-1)}\n`);
    for (const text of textsIn(texts)) hash.update(`${text}\n`);
  }
  return hash.digest('hex').slice(0, 12);
}
