/** Which of all classes a picture shows, as probabilities. */
import type { Concept } from './captions.ts';
import type { SourcePicture } from './source.ts';

type Labelled = Pick<SourcePicture, 'concept' | 'description'>;

/**
 * Every class that a picture belongs to, in order of appearance; none where sources have captions only.
 * @param kinds whether what they are kinds of are classes as well, behind the others
 */
export function classesOf(pictures: Iterable<Labelled>, kinds: boolean): Concept[] {
  const own = new Map<string, Concept>();
  const wider = new Map<string, Concept>();
  for (const picture of pictures) {
    if (picture.concept === undefined || own.has(picture.concept.key)) continue;
    own.set(picture.concept.key, picture.concept);
    if (kinds) for (const kind of kindsOf(picture)) wider.set(kind.key, kind);
  }
  for (const key of own.keys()) wider.delete(key);
  return [...own.values(), ...wider.values()];
}

/**
 * A function from pictures to rows of probabilities, [pictures, classes]: `kinds` of a row is shared by what the class is
 * a kind of, each as much, the rest is the class's own (several right answers as in Mahajan et al. 2018, section 2.3). A
 * class of no kind has all; a picture without a class has a row of zeros.
 */
export function createClassTargets(
  classes: readonly Concept[],
  kinds: number,
): (pictures: readonly Labelled[]) => Float32Array<ArrayBuffer> {
  const places = new Map(classes.map(({ key }, place) => [key, place]));
  return (pictures) => {
    const targets = new Float32Array(pictures.length * classes.length);
    const add = ({ key }: Concept, row: number, share: number): void => {
      const place = places.get(key);
      if (place !== undefined) targets[row * classes.length + place]! += share;
    };
    for (const [row, picture] of pictures.entries()) {
      if (picture.concept === undefined) continue;
      const wider = kinds > 0 ? kindsOf(picture) : [];
      add(picture.concept, row, wider.length > 0 ? 1 - kinds : 1);
      for (const kind of wider) add(kind, row, kinds / wider.length);
    }
    return targets;
  };
}

function kindsOf({ concept, description }: Labelled): Concept[] {
  return description.concepts.filter(({ key }) => key !== concept?.key);
}
