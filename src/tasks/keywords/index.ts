/** Keywords: each picture finds the words of a vocabulary that fit it. */
import { findKeywords, type Keyword, type KeywordOptions } from '../../classifier/keywords.ts';
import type { Clip, EmbedImagesOptions } from '../../clip/clip.ts';
import type { EidosError } from '../../errors.ts';
import type { ImageSources } from '../../image/source.ts';

export type { Keyword, KeywordOptions } from '../../classifier/keywords.ts';

/** What became of one picture. */
export type PictureKeywords =
  | { image: string; keywords: Keyword[] }
  /** A picture that cannot be read. */
  | { image: string; error: EidosError };

export interface KeywordFinder {
  /** One answer a picture, in order, as they come. */
  find(images: ImageSources, options?: EmbedImagesOptions): AsyncIterable<PictureKeywords>;
}

/**
 * @param options hold for all pictures
 * @throws EidosError while finding: `invalid_option` for an empty vocabulary or a wrong number
 */
export function createKeywordFinder(clip: Clip, options: KeywordOptions = {}): KeywordFinder {
  return {
    async *find(images, imageOptions = {}) {
      const size = clip.embeddingSize;
      for await (const { embeddings, items } of clip.embedImageStream(images, imageOptions)) {
        for (const item of items) {
          if ('error' in item) {
            yield { image: item.label, error: item.error };
            continue;
          }
          const data = embeddings.data.slice(item.row * size, (item.row + 1) * size);
          yield {
            image: item.label,
            keywords: await findKeywords(clip, { data, shape: [1, size] }, options),
          };
        }
      }
    },
  };
}
