/** The beginning of an index: what it is about before it has any picture. */
import type { Clip } from '../../../clip/clip.ts';
import type { IndexParts } from '../parts.ts';
import type { About } from '../store/about.ts';
import { picturesPrefix } from '../store/table-names.ts';

/** What the index is; a new one is begun with the model that is asked for. */
export async function aboutOrBegin({ source, models }: IndexParts): Promise<About> {
  const found = await (await source.store()).about();
  if (found !== undefined) return found;
  const about = newAbout(await models.clip());
  const store = await source.store();
  // The table first: an index is what `about` names, and nothing shall be named that is not there.
  await store.makePictures(about.pictures, about.model.embeddingSize);
  await store.setAbout(about);
  return about;
}

/** An index of this model without folders. */
export function newAbout({ config, embeddingSize }: Clip): About {
  const { model: name, fingerprint } = config;
  return {
    format: 1,
    model: { name, fingerprint, embeddingSize },
    pictures: `${picturesPrefix}${fingerprint.slice(0, 16)}`,
    folders: [],
  };
}
