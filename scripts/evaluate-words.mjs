/**
 * `npm run evaluate:words`: what single words do in the bundled model: whether one of them attracts pictures of all kinds,
 * whether a search says that nothing fits, whether dogs come first, and which languages it reads.
 */
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { build } from './build.mjs';
import { installIfNeeded, root } from './install.mjs';

const { values } = parseArgs({
  options: {
    model: { type: 'string' },
    data: { type: 'string', default: join(root, '../shared/data') },
    examples: { type: 'string', default: join(root, '../shared/examples') },
    // npm's emojibase-data, unpacked, where the languages shall be tried.
    emoji: { type: 'string' },
  },
});

installIfNeeded();
build();
const dist = (/** @type {string} */ path) => new URL(`../dist/${path}`, import.meta.url).href;
/** @type {typeof import('../src/index.ts')} */
const { loadClip } = await import(dist('index.js'));
/** @type {typeof import('../src/evaluate/index.ts')} */
const { openDataset } = await import(dist('evaluate/index.js'));
/** @type {typeof import('../src/tasks/search/index.ts')} */
const { openIndex } = await import(dist('tasks/search/index.js'));

const percent = (/** @type {number} */ share) => `${(100 * share).toFixed(1)} %`;
const clip = await loadClip(values.model);
try {
  await attraction();
  await dogsFirst();
  await languages();
} finally {
  await clip.close();
}

/** Of a thousand pictures of a thousand things, how many have the same word of 4,585 as their nearest. */
async function attraction() {
  const words = readFileSync(join(values.data, 'names/keywords-ram.txt'), 'utf8').split('\n').filter(Boolean);
  const dataset = await openDataset(join(values.data, 'imagenet-samples'), { split: 'all' });
  const pictures = [];
  for await (const { image } of dataset.samples())
    pictures.push(/** @type {import('../src/index.ts').ImageSource} */ (image));
  const { data } = clip.similarity(await clip.embedImages(pictures), await clip.embedTexts(words));
  /** @type {Map<string, number>} */
  const firsts = new Map();
  for (let row = 0; row < pictures.length; row++) {
    const own = data.subarray(row * words.length, (row + 1) * words.length);
    const word = words[own.indexOf(Math.max(...own))] ?? '';
    firsts.set(word, (firsts.get(word) ?? 0) + 1);
  }
  const often = [...firsts].sort(([, a], [, b]) => b - a).slice(0, 5);
  console.log(
    `nearest of ${words.length} words to ${pictures.length} pictures: ${firsts.size} different ones; most often ${often.map(([word, count]) => `"${word}" ${percent(count / pictures.length)}`).join(', ')}`,
  );
}

/** The places of photographs with a dog among the demo's and the examples', ordered by "a dog". */
async function dogsFirst() {
  if (!existsSync(values.examples)) return;
  const { labels } = await import('./photograph-labels.mjs');
  const names = [...new Set(labels.flatMap(({ photographs }) => photographs))];
  const dogs = new Set(['two-dogs', ...(labels.find(({ en }) => en === 'dogs')?.photographs ?? [])]);
  const own = readdirSync(join(root, 'examples/photographs'))
    .filter((file) => file.endsWith('.jpg'))
    .map((file) => file.slice(0, -4));
  const paths = [
    ...own.map((name) => join(root, `examples/photographs/${name}.jpg`)),
    ...names.map((name) => join(values.examples, name.startsWith('/') ? `photos${name}.jpg` : `${name}.jpg`)),
  ];
  const { data } = clip.similarity(await clip.embedTexts(['a dog']), await clip.embedImages(paths));
  const ranked = [...own, ...names]
    .map((name, i) => ({ name, cosine: data[i] ?? 0 }))
    .sort((a, b) => b.cosine - a.cosine);
  console.log(
    `"a dog" among ${paths.length} photographs: ${ranked
      .slice(0, 6)
      .map(({ name, cosine }) => `${dogs.has(name) ? '+' : '-'} ${name} ${cosine.toFixed(3)}`)
      .join(', ')} (${dogs.size} show dogs)`,
  );
}

/** How often the English name of an emoji is the nearest of all English names to its name in another language. */
async function languages() {
  if (values.emoji === undefined) {
    console.log('languages are not tried: name the folder of emojibase-data as --emoji.');
    return;
  }
  const namesIn = (/** @type {string} */ language) => {
    /** @type {{ hexcode: string, label: string, group?: number }[]} */
    const rows = JSON.parse(readFileSync(join(values.emoji ?? '', language, 'data.json'), 'utf8'));
    // Animals, food, places, activities and things; not faces, parts of people, signs, flags.
    return new Map(
      rows
        .filter(({ group }) => group !== undefined && group >= 3 && group <= 7)
        .map(({ hexcode, label }) => [hexcode, label]),
    );
  };
  const english = namesIn('en');
  const codes = [...english.keys()];
  const known = await clip.embedTexts([...english.values()]);
  const figures = [];
  for (const language of ['de', 'es', 'fr', 'it', 'pl', 'pt', 'nl', 'ru', 'zh', 'ja', 'ko', 'th']) {
    const names = namesIn(language);
    const own = codes.filter((code) => names.has(code));
    const { data } = clip.similarity(await clip.embedTexts(own.map((code) => names.get(code) ?? '')), known);
    const right = own.filter((code, row) => {
      const line = data.subarray(row * codes.length, (row + 1) * codes.length);
      return codes[line.indexOf(Math.max(...line))] === code;
    });
    figures.push(`${language} ${percent(right.length / own.length)}`);
  }
  console.log(`nearest of ${codes.length} English names is the right one: ${figures.join(', ')}`);
}

/** An index of 500 photographs, asked for fifty things that its captions name and fifty that they never do. */
async function nothingFits() {
  const dataset = await openDataset(join(values.data, 'flickr8k'), { split: 'test' });
  const folder = mkdtempSync(join(tmpdir(), 'eidos-nothing-'));
  try {
    const pictures = join(folder, 'pictures');
    mkdirSync(pictures);
    /** @type {string[]} */
    const captions = [];
    for await (const { image, captions: said } of dataset.samples()) {
      if (captions.length === 500) break;
      const bytes = Buffer.from(await /** @type {Blob} */ (image).arrayBuffer());
      writeFileSync(join(pictures, `${captions.length}.webp`), bytes);
      captions.push((said.en ?? []).join(' ').toLowerCase());
    }
    const times = (/** @type {string} */ query) =>
      captions.filter((text) => new RegExp(`\\b${query.replace(/^(?:an? |the )/, '')}`).test(text)).length;
    const present = things.filter((thing) => times(thing) >= 3).slice(0, 50);
    const absent = things.filter((thing) => times(thing) === 0).slice(0, 50);
    const index = await openIndex(join(folder, 'index'), {
      create: true,
      ...(values.model === undefined ? {} : { model: values.model }),
    });
    try {
      await index.sync([pictures]);
      const answered = async (/** @type {string[]} */ queries) => {
        const found = [];
        for (const query of queries)
          if ((await index.search(query, { topK: 5 })).hits.length > 0) found.push(query);
        return found;
      };
      const [yes, wrongly] = [await answered(present), await answered(absent)];
      console.log(
        `of ${present.length} things that are there ${yes.length} are answered; of ${absent.length} that are not, ${absent.length - wrongly.length} get "nothing fits"`,
      );
      console.log(
        `  not answered: ${present.filter((thing) => !yes.includes(thing)).join(', ')}\n  answered wrongly: ${wrongly.join(', ')}`,
      );
    } finally {
      await index.close();
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Things that are often, and things that are hardly ever, on photographs of people's days; captions decide which. */
const things = [
  'a dog',
  'a man',
  'a boy',
  'a girl',
  'a beach',
  'snow',
  'a bicycle',
  'a ball',
  'water',
  'grass',
  'a horse',
  'a car',
  'a skateboard',
  'a football',
  'a mountain',
  'a swimming pool',
  'a crowd',
  'a street',
  'a tree',
  'a climber',
  'a surfer',
  'a baby',
  'a swing',
  'a motorcycle',
  'a basketball',
  'a tennis',
  'a field',
  'a lake',
  'a river',
  'a boat',
  'a bench',
  'a hat',
  'a guitar',
  'a jump',
  'a race',
  'a ramp',
  'a wave',
  'a rock',
  'a sled',
  'a ski',
  'a kayak',
  'a fountain',
  'a toy',
  'a stick',
  'a fence',
  'a sidewalk',
  'a building',
  'a woman',
  'a child',
  'sand',
  'a slide',
  'a flag',
  'a uniform',
  'a bird',
  'a leash',
  'a soccer',
  'a forest',
  'a trampoline',
  'a frisbee',
  'a camera',
  'a submarine',
  'a giraffe',
  'a cactus',
  'a violin',
  'a microscope',
  'a volcano',
  'a penguin',
  'an elephant',
  'a lion',
  'a space shuttle',
  'a typewriter',
  'a chandelier',
  'a pizza',
  'sushi',
  'a strawberry',
  'a lobster',
  'an octopus',
  'a teapot',
  'a washing machine',
  'a refrigerator',
  'a toilet',
  'a piano',
  'a harp',
  'a saxophone',
  'a chessboard',
  'a skeleton',
  'a dinosaur',
  'a castle',
  'a lighthouse',
  'a windmill',
  'a pyramid',
  'a cathedral',
  'galaxies',
  'an x-ray',
  'a screwdriver',
  'a stethoscope',
  'a keyboard',
  'a printer',
  'a calculator',
  'an owl',
  'a peacock',
  'a zebra',
  'a panda',
  'a kangaroo',
  'a snail',
  'a spider',
  'a mushroom',
  'a pineapple',
  'a cauliflower',
  'a sandcastle made of gold',
  'a rocket',
  'a telescope',
  'a globe',
  'an anchor',
  'a crocodile',
  'a tortoise',
  'a jellyfish',
  'a sunflower',
  'a hot-air balloon',
  'a wedding cake',
  'a bookshelf',
  'a vacuum cleaner',
  'a wheelbarrow of coal',
  'a satellite dish',
];

await nothingFits();
