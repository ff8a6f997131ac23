/** How a drawing of a thing is spoken of in English and German, by its bare name and by the way it is drawn. */

const styles = {
  colour: {
    en: ['a drawing of {}', 'a cartoon of {}', 'clip art of {}'],
    de: ['eine Zeichnung: {}', 'ein Cartoon: {}'],
  },
  lines: { en: ['a sketch of {}', 'a line drawing of {}'], de: ['eine Skizze: {}', 'eine Strichzeichnung: {}'] },
  render: { en: ['a 3D rendering of {}', 'a 3D icon of {}'], de: ['eine 3D-Grafik: {}', 'ein 3D-Symbol: {}'] },
};

/** @typedef {keyof typeof styles} DrawingStyle */

/**
 * Captions of a drawing: the name, the name in each of the style's sentences, and the name with what goes with it.
 * @param {{ en: string, de?: string | undefined, tags?: readonly string[], doing?: boolean }} names
 * @param {DrawingStyle} style
 */
export function drawingWords({ en, de, tags = [], doing = false }, style) {
  const say = (/** @type {string} */ template, /** @type {string} */ name) => template.replace('{}', name);
  const thing = doing ? en : withArticle(en);
  return {
    en: [
      en,
      ...styles[style].en.map((template) => say(template, thing)),
      ...(tags.length > 0 ? [`${en}: ${tags.slice(0, 6).join(', ')}`] : []),
    ],
    ...(de === undefined ? {} : { de: [de, ...styles[style].de.map((template) => say(template, de))] }),
  };
}

/**
 * "an apple", but "scissors" and "Mount Fuji".
 * @param {string} name
 */
export function withArticle(name) {
  if (/^(a|an|the|two|three) |^\p{Lu}|[^aious]s$|^(people|children|money|hair) ?/u.test(name)) return name;
  return `${/^(?!uni|use|eu)[aeiou]/i.test(name) ? 'an' : 'a'} ${name}`;
}
