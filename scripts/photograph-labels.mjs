/** What the shared example photographs show, in both languages, for the bundled model's card. */

/**
 * The labels, and the photographs that each is right for; photographs of `photos/` have a stroke before their name.
 * @type {readonly { en: string, de: string, photographs: readonly string[] }[]}
 */
export const labels = [
  { en: 'an airplane', de: 'ein Flugzeug', photographs: ['airplane', '/plane'] },
  { en: 'a beach', de: 'ein Strand', photographs: ['beach', '/beach-sunset'] },
  { en: 'a cat', de: 'eine Katze', photographs: ['cat', '/cat', '/chelsea'] },
  { en: 'a cup of coffee', de: 'eine Tasse Kaffee', photographs: ['coffee', '/coffee', '/espresso'] },
  { en: 'dogs', de: 'Hunde', photographs: ['dogs', '/dog'] },
  { en: 'an elephant', de: 'ein Elefant', photographs: ['elephant'] },
  { en: 'galaxies', de: 'Galaxien', photographs: ['galaxies', '/galaxies'] },
  { en: 'a guitar', de: 'eine Gitarre', photographs: ['guitar'] },
  { en: 'a hot dog', de: 'ein Hotdog', photographs: ['hot-dog'] },
  { en: 'an owl', de: 'eine Eule', photographs: ['owl'] },
  { en: 'a parrot', de: 'ein Papagei', photographs: ['parrot'] },
  { en: 'a piano', de: 'ein Klavier', photographs: ['piano'] },
  { en: 'a pizza', de: 'eine Pizza', photographs: ['pizza', '/pizza'] },
  { en: 'a rocket', de: 'eine Rakete', photographs: ['rocket', '/rocket', '/shuttle'] },
  { en: 'a sailboat', de: 'ein Segelboot', photographs: ['sailboat'] },
  { en: 'a saxophone', de: 'ein Saxophon', photographs: ['saxophone'] },
  { en: 'a sunflower', de: 'eine Sonnenblume', photographs: ['sunflower'] },
  { en: 'water lilies', de: 'Seerosen', photographs: ['water-lilies'] },
  { en: 'an aquarium', de: 'ein Aquarium', photographs: ['/aquarium'] },
  { en: 'bread in a bakery', de: 'Brot in einer Bäckerei', photographs: ['/bakery'] },
  { en: 'a bridge', de: 'eine Brücke', photographs: ['/bridge'] },
  { en: 'a hamburger', de: 'ein Hamburger', photographs: ['/burger'] },
  {
    en: 'skyscrapers in a city',
    de: 'Wolkenkratzer in einer Stadt',
    photographs: ['/city', '/beach-sunset'],
  },
  { en: 'a dandelion', de: 'eine Pusteblume', photographs: ['/dandelion'] },
  { en: 'the Eiffel tower', de: 'der Eiffelturm', photographs: ['/eiffel-tower'] },
  { en: 'pink flowers', de: 'rosa Blumen', photographs: ['/flowers', 'water-lilies'] },
  { en: 'mountains', de: 'Berge', photographs: ['/mountains'] },
  { en: 'ancient ruins', de: 'antike Ruinen', photographs: ['/ruins'] },
  { en: 'a sunset', de: 'ein Sonnenuntergang', photographs: ['/sunset', '/beach-sunset', '/city'] },
  { en: 'a surfer on a wave', de: 'ein Surfer auf einer Welle', photographs: ['/surfer'] },
  { en: 'yellow taxis', de: 'gelbe Taxis', photographs: ['/taxis'] },
  { en: 'a teddy bear', de: 'ein Teddybär', photographs: ['/teddy'] },
];

/**
 * Twenty labels for a photograph: the first that is right for it, and the nineteen that follow in the list and are not.
 * @param {string} photograph
 * @param {'en' | 'de'} language
 * @returns {string[]} the right one first
 */
export function twentyLabels(photograph, language) {
  const at = labels.findIndex(({ photographs }) => photographs.includes(photograph));
  const others = [...labels.slice(at + 1), ...labels.slice(0, at)];
  const wrong = others.filter(({ photographs }) => !photographs.includes(photograph)).slice(0, 19);
  return [labels[at], ...wrong].map((label) => label?.[language] ?? '');
}
