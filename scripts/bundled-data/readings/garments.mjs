/** A shop's small pictures of clothes by number, and a table of another repository that has their kinds and colours. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { root } from '../../install.mjs';
import { hashOf, photograph } from '../picture.mjs';

/** Pictures of a kind that are taken. */
const most = 150;

/** What is worn underneath, on people, is left out. */
const leftOut = new Set(['Briefs', 'Bra', 'Innerwear Vests', 'Nightdress']);

const colours = {
  Black: 'schwarz',
  White: 'weiß',
  Blue: 'blau',
  Brown: 'braun',
  Grey: 'grau',
  Red: 'rot',
  Green: 'grün',
  Pink: 'rosa',
  'Navy Blue': 'marineblau',
  Purple: 'lila',
  Silver: 'silbern',
  Yellow: 'gelb',
  Beige: 'beige',
  Gold: 'golden',
  Maroon: 'weinrot',
  Orange: 'orange',
  Olive: 'olivgrün',
  Cream: 'cremefarben',
  Khaki: 'khaki',
  'Turquoise Blue': 'türkis',
};

const wearers = { Men: 'men', Women: 'women', Boys: 'boys', Girls: 'girls' };

/** Names without an article. */
const plural =
  /(shoes|jeans|shorts|trousers|pants|socks|sandals|flip-flops|heels|glasses|earrings|leggings|cufflinks|polish|ballerinas)$/;

/** @type {import('../sources.mjs').Reading} */
export async function* read(pictures, tables) {
  const names = await namesOf(join(root, 'docs/bundled-model/names/garments.names.jsonl'));
  /** @type {Map<string, { path: string, words: Record<string, string | string[]> }[]>} */
  const kinds = new Map();
  const there = new Set(pictures.paths);
  for (const line of (await tables.text('styles.csv')).split(/\r?\n/).slice(1)) {
    const [id = '', wearer = '', , , kind = '', colour = ''] = line.split(',');
    const path = `data/images/${id}.jpg`;
    const name = names.get(kind);
    if (name === undefined || leftOut.has(kind) || !there.has(path)) continue;
    const words = { label: kind, ...captions(name, colour, wearer) };
    kinds.set(kind, [...(kinds.get(kind) ?? []), { path, words }]);
  }
  const chosen = new Map(
    [...kinds.values()].flatMap((all) =>
      all
        .sort((a, b) => hashOf(a.path) - hashOf(b.path))
        .slice(0, most)
        .map(({ path, words }) => [path, words]),
    ),
  );
  for await (const { path, bytes } of pictures.read([...chosen.keys()])) {
    const name = path.replace(/^.*\/|\.jpg$/g, '');
    yield { name, picture: () => photograph(bytes), words: chosen.get(path) ?? {} };
  }
}

/**
 * @param {{ en: string[], de: string[] }} name
 * @param {string} colour
 * @param {string} wearer
 */
function captions({ en: [en = ''], de: [de = ''] }, colour, wearer) {
  const [german] = Object.entries(colours).flatMap(([key, word]) => (key === colour ? [word] : []));
  const [group] = Object.entries(wearers).flatMap(([key, word]) => (key === wearer ? [word] : []));
  const coloured = german === undefined ? en : `${colour.toLowerCase()} ${en}`;
  const article = plural.test(en) ? '' : /^[aeiou]/.test(coloured) ? 'an ' : 'a ';
  const worn = group === undefined ? [] : [`${article}${coloured} for ${group}`];
  return { en: [`${article}${coloured}`, ...worn], de: [german === undefined ? de : `${de}, ${german}`] };
}

/** @param {string} file @returns {Promise<Map<string, { en: string[], de: string[] }>>} */
async function namesOf(file) {
  const lines = (await readFile(file, 'utf8')).split('\n').filter((line) => line !== '');
  return new Map(lines.map((line) => JSON.parse(line)).map(({ label, en, de }) => [label, { en, de }]));
}
