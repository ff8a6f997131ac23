/** A source without the pictures that somebody could not read. */
import { EidosError } from '../../errors.ts';
import type { BrokenSample } from './forms/form.ts';
import type { Source } from './source.ts';

/**
 * @param isReadable whether the picture at a place among the source's can be read
 * @param reason why others cannot, as it is reported
 * @returns the source, and the places of its pictures among all
 * @throws EidosError `invalid_option` where none is left
 */
export function readablePictures(
  source: Source,
  isReadable: (at: number) => boolean,
  reason: string,
): { source: Source; places: number[] } {
  const places: number[] = [];
  const broken: BrokenSample[] = [];
  for (const [at, { name }] of source.pictures.entries()) {
    if (isReadable(at)) places.push(at);
    else broken.push({ name, reason });
  }
  if (broken.length === 0) return { source, places };
  if (places.length === 0) {
    throw new EidosError(
      'invalid_option',
      `No picture of the source "${source.name}" can be read, such as ${broken[0]!.name}.`,
    );
  }
  const pictures = places.map((at) => source.pictures[at]!);
  return { source: { ...source, pictures, broken: [...source.broken, ...broken] }, places };
}
