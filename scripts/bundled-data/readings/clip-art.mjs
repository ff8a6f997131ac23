/** Clip art whose title, file name or keywords name a plain thing of a list of nouns. */
import { readFile } from 'node:fs/promises';
import { drawingWords } from '../drawing-words.mjs';
import { drawing } from '../picture.mjs';

/** What is to be read or is no thing: signs, maps, buttons, patterns, parts of bodies, weapons. */
const leftOut =
  /flags|cards\/|icons\/|gradients|patterns|shapes\/|roadsigns|map_symbols|aiga|buttons|led\/|clocks\/|flowchart|logos\/|bodypart|smilies|stickmen|weapons|signs_and_symbols|pantyhose|special\/|maps?[_.]|religion|yoga|blood|dead|skull|gallows|gun|bomb|naked|nude/i;

/** Titles of collections, which say nothing of the picture. */
const collections = /clipart by|cliparts?$|svg|theme|icons?(et|set)?$|collection|road signs|symbol signs|menu|sallite/i;

/** Keywords that tell where a picture belongs, and not what it shows. */
const topics = new Set(['computer', 'city', 'baby', 'school', 'farm']);

/** What follows is about the thing, and not it. */
const about = /\b(with|of|on|in|and|from|without|for|near|under|drawn|alt)\b|\(/;

/** @type {import('../sources.mjs').Reading} */
export async function* read(tree) {
  const nouns = await readNouns();
  for await (const { path, bytes } of tree.read(tree.paths.filter((one) => one.endsWith('.svg')))) {
    if (leftOut.test(path)) continue;
    const noun = nounOf(path, bytes.toString('utf8', 0, 8000), nouns);
    if (noun === undefined) continue;
    const name = path.replace(/^.*\/svg\/|\.svg$/g, '').slice(0, 80);
    const lines = /[_ (]b_?(and )?w\b|bw_|outline|contour/i.test(path);
    yield { name, picture: () => drawing(bytes, name), words: drawingWords(noun, lines ? 'lines' : 'colour') };
  }
}

/** @typedef {{ en: string, de: string }} Noun */

/** @returns {Promise<Map<string, Noun>>} by every word for it, also in Italian and French */
async function readNouns() {
  const lines = (await readFile(new URL('../nouns.tsv', import.meta.url), 'utf8')).split('\n');
  return new Map(
    lines
      .filter((line) => line !== '')
      .flatMap((line) => {
        const [en = '', de = '', others = ''] = line.split('\t');
        const words = [en.toLowerCase(), ...others.split(' ').filter((word) => word !== '')];
        return words.map((word) => /** @type {const} */ ([word.replaceAll('_', ' '), { en, de }]));
      }),
  );
}

/**
 * @param {string} path
 * @param {string} head of the file, with its metadata
 * @param {ReadonlyMap<string, Noun>} nouns
 */
function nounOf(path, head, nouns) {
  const titles = [...head.matchAll(/<dc:title>([^<]*)</g)].map(([, text = '']) => text);
  const [title = '', ...artists] = titles;
  const keywords = [...head.matchAll(/<rdf:li>([^<]*)</g)].map(([, text = '']) => text.toLowerCase());
  const file = path.replace(/^.*\/|\.svg$/g, '').replace(/[_-]+|\d+/g, ' ');
  const artist = artists.join(' ').toLowerCase().split(/\W+/);
  const named = file.split(' ').filter((word) => !artist.includes(word.toLowerCase()) && !/^(park|king|brown)$/.test(word));
  const said = (collections.test(title) ? [] : [title]).concat(named.join(' '));
  for (const text of said) {
    const found = lastNoun(text.toLowerCase().replace(/[_-]+|\d+/g, ' '), nouns);
    if (found !== undefined) return found;
  }
  const known = new Set(keywords.flatMap((word) => (topics.has(word) ? [] : (nouns.get(word) ?? []))));
  return known.size === 1 ? [...known][0] : undefined;
}

/**
 * The noun that others stand before ("lemon pie" is a pie), in what comes before "with", "of" and the like.
 * @param {string} text
 * @param {ReadonlyMap<string, Noun>} nouns
 * @returns {Noun | undefined}
 */
function lastNoun(text, nouns) {
  const words = (text.split(about)[0] ?? '').split(/[^\p{L}']+/u).filter((word) => word !== '');
  for (let end = words.length; end > 0; end--) {
    for (const length of [3, 2, 1]) {
      const noun = nouns.get(words.slice(Math.max(0, end - length), end).join(' '));
      if (noun !== undefined && length <= end) return noun;
    }
  }
  return undefined;
}
