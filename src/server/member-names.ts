/** Members of requests that somebody wrote as another program spells them: `top_k` for `topK`. */
import {
  classifyForm,
  classifyRequest,
  embeddingsRequest,
  searchFilters,
  searchParameters,
  searchRequest,
} from './schemas.ts';

const known = [
  classifyForm,
  classifyRequest,
  embeddingsRequest,
  searchFilters,
  searchParameters,
  searchRequest,
].flatMap(({ shape }) => Object.keys(shape));
const bySound = new Map(known.map((name) => [sound(name), name]));

/** `: did you mean topK?` for members that there are not; nothing where none is near. */
export function meantMembers(unknown: readonly string[]): string {
  const meant = unknown.flatMap((name) => {
    const near =
      bySound.get(sound(name)) ??
      bySound.get(sound(`${name}s`)) ??
      bySound.get(sound(name).replace(/s$/, ''));
    return near === undefined || near === name ? [] : [near];
  });
  return meant.length === 0 ? '' : `: did you mean ${meant.join(', ')}?`;
}

/** A name without what spellings differ in. */
function sound(name: string): string {
  return name.replace(/[^a-z0-9]/gi, '').toLowerCase();
}
