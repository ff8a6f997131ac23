import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { Tokenizer as LibraryTokenizer } from '@huggingface/tokenizers';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { randomNumbers } from '../../../src/graph/initialise.ts';
import { createCaptioner, type Description, keysOf } from '../../../src/train/data/captions.ts';
import { captionsSchema, sourceSchema } from '../../../src/train/data/config.ts';
import { readNames } from '../../../src/train/data/names.ts';
import { openSource } from '../../../src/train/data/source.ts';
import { matchingTargets } from '../../../src/train/data/targets.ts';
import { learnTokenizer, wordsOf } from '../../../src/train/data/tokenizer.ts';
import { jsonLines, open, square, temporaryFolder, writeFiles } from './tiny-data.ts';

const folder = temporaryFolder();
const at = (name: string) => join(folder.path, name);

const chihuahua: Description = {
  captions: {},
  concepts: [
    { key: 'chihuahua', words: { en: ['Chihuahua'], de: ['Chihuahua'] } },
    { key: 'dog', words: { en: ['dog', 'hound'], de: ['Hund'] } },
  ],
  features: ['large ears'],
  sentences: ['It is small.'],
};
const runner: Description = {
  captions: { en: ['A man runs .', 'Someone jogs.'], de: ['Ein Mann läuft.'], fr: ['Il court.'] },
  concepts: [],
  features: [],
  sentences: [],
};

const say = (config: object, description: Description, count = 300) => {
  const captionOf = createCaptioner(captionsSchema.parse(config));
  const random = randomNumbers(1);
  return Array.from({ length: count }, () => captionOf(description, '#0/1', random));
};

describe('captions', () => {
  test('speak of something that the picture shows', () => {
    const settings = fc.record({ kinds: fc.constantFrom(0, 0.5, 1), descriptions: fc.constantFrom(0, 0.5) });
    fc.assert(
      fc.property(fc.integer(), fc.constantFrom(chihuahua, runner), settings, (seed, description, config) => {
        const captionOf = createCaptioner(captionsSchema.parse({ ...config, joined: 0.3 }));
        const { text, key } = captionOf(description, '#0/1', randomNumbers(seed));
        expect(keysOf('#0/1', description)).toContain(key);
        expect(text).toMatch(
          key === 'dog'
            ? /dog|hound|Hund/
            : key === 'chihuahua'
              ? /Chihuahua|It is small/
              : /runs|jogs|läuft/,
        );
      }),
      { endOnFailure: true },
    );
  });

  test('keep to the shares and languages asked for', () => {
    const none = { kinds: 0, descriptions: 0 };
    expect(
      say(none, chihuahua).every(({ text, key }) => key === 'chihuahua' && !/ears|small\.$/.test(text)),
    ).toBe(true);
    expect(
      say({ kinds: 1, languages: { de: 1 } }, chihuahua).every(({ text }) => text.includes('Hund')),
    ).toBe(true);
    expect(say({ languages: { en: 1 } }, runner).some(({ text }) => /läuft|court/.test(text))).toBe(false);
    const german = say({ languages: { en: 3, de: 1 } }, runner, 1000).filter(({ text }) =>
      /läuft/.test(text),
    );
    expect(Math.abs(german.length / 1000 - 0.25)).toBeLessThan(0.05);
    // A picture with words in none of the languages asked for is not left without any.
    expect(say({ languages: { es: 1 } }, { ...runner, captions: { fr: ['Il court.'] } }, 1)[0]?.text).toBe(
      'Il court.',
    );
  });

  test('may join two sentences of the picture, which then belong to it alone', () => {
    const joined = say({ joined: 1, languages: { en: 1 } }, runner);
    const two = joined.filter(({ text }) => /runs/.test(text) && /jogs/.test(text));
    expect(two.length).toBeGreaterThan(100);
    expect(two.every(({ key }) => key === '#0/1')).toBe(true);
    expect(two[0]?.text).toMatch(/^(A man runs\. Someone jogs\.|Someone jogs\. A man runs \.)$/);
  });

  test('of classes take the templates of the configuration', () => {
    const templates = { en: ['look, {}!'], de: 'german' };
    const config = { templates, languages: { en: 1 }, kinds: 0, descriptions: 0 };
    expect(new Set(say(config, chihuahua).map(({ text }) => text))).toEqual(new Set(['look, Chihuahua!']));
    expect(() => createCaptioner(captionsSchema.parse({ templates: { en: 'no place' } }))).toThrow(
      /no place/,
    );
  });
});

describe('targets', () => {
  test('are the identity where every caption fits its own picture alone', () => {
    expect([...matchingTargets([['a'], ['b']], ['a', 'b'])]).toEqual([1, 0, 0, 1]);
  });

  test('share the weight among captions that fit several pictures', () => {
    expect([...matchingTargets([['a'], ['a'], ['b']], ['a', 'a', 'b'])]).toEqual([
      0.5, 0.5, 0, 0.5, 0.5, 0, 0, 0, 1,
    ]);
  });

  test('have rows and columns that sum to one, and nothing where nothing matches', () => {
    const key = fc.constantFrom('a', 'b', 'c', 'd');
    const pairs = fc.array(fc.record({ more: fc.array(key, { maxLength: 2 }), said: key }), {
      minLength: 1,
      maxLength: 12,
    });
    fc.assert(
      fc.property(pairs, (all) => {
        const shown = all.map(({ more, said }) => [...more, said]);
        const n = all.length;
        const targets = matchingTargets(
          shown,
          all.map(({ said }) => said),
        );
        for (let row = 0; row < n; row++) {
          const line = targets.subarray(row * n, (row + 1) * n);
          expect(line.reduce((sum, value) => sum + value, 0)).toBeCloseTo(1, 5);
          for (let column = 0; column < n; column++) {
            expect(line[column]! > 0).toBe(shown[row]!.includes(all[column]!.said));
          }
        }
      }),
      { endOnFailure: true },
    );
  });
});

describe('names of classes', () => {
  test('come from tables, lists and ImageNet’s rows', async () => {
    await writeFiles(folder.path, {
      'labels.tsv': '# comment\nn1\tgoldfish | golden fish\n\nn2\tsea\nn1\tfish\n',
      'sets.json': JSON.stringify({ pets: [{ label: 'n1', en: 'gold_fish', de: 'Goldfisch' }], other: [] }),
      'imagenet.jsonl': jsonLines([
        { index: 151, wnid: 'n1', en: 'Chihuahua', wordnet: ['Chihuahua', 'Canis minor'], de: 'Chihuahua' },
      ]),
    });
    const languages = ['en', 'de'];
    const words = async (config: Parameters<typeof readNames>[0]) =>
      Object.fromEntries(await readNames(config, languages));
    expect(await words(at('labels.tsv'))).toEqual({
      n1: { words: { en: ['goldfish', 'golden fish', 'fish'] } },
      n2: { words: { en: ['sea'] } },
    });
    expect(await words({ file: at('labels.tsv'), language: 'de' })).toMatchObject({
      n2: { words: { de: ['sea'] } },
    });
    expect(await words({ file: at('sets.json'), set: 'pets', language: 'en' })).toEqual({
      n1: { words: { en: ['gold fish'], de: ['Goldfisch'] } },
    });
    expect(await words(at('imagenet.jsonl'))).toEqual({
      n1: { words: { en: ['Chihuahua'], de: ['Chihuahua'] }, imageNetIndex: 151 },
    });
    await expect(words(at('sets.json'))).rejects.toThrow(/sets pets, other.*names\.set/);
    await expect(words(at('none.tsv'))).rejects.toMatchObject({ code: 'not_found' });
    await writeFiles(folder.path, {
      'bad.tsv': 'n1 no tab\n',
      'bad.jsonl': '{"en": "x"}\n',
      'worse.jsonl': '{',
    });
    await expect(words(at('bad.tsv'))).rejects.toThrow(/bad\.tsv, line 1/);
    await expect(words(at('bad.jsonl'))).rejects.toThrow(/no "label" or "wnid"/);
    await expect(words(at('worse.jsonl'))).rejects.toThrow(/malformed/);
  });

  test('bring kinds, looks and descriptions to a source', async () => {
    const red = await square('red');
    await writeFiles(folder.path, {
      'set/n1/a.png': red,
      'set/n2/b.png': red,
      'names.jsonl': jsonLines([
        { index: 151, wnid: 'n1', en: 'Chihuahua', de: 'Chihuahua' },
        { index: 985, wnid: 'n2', en: 'daisy' },
      ]),
      'kinds.jsonl': jsonLines([
        { en: ['animal'], de: ['Tier'], of: ['n1'] },
        { en: ['plant'], of: ['n2'] },
      ]),
      'looks.jsonl.gz': gzipSync(
        jsonLines([
          { wnid: 'n1', descriptors: ['large ears'], sentences: [' It is small.', 'x'.repeat(200)] },
        ]),
      ),
    });
    const source = async (more: object) => {
      const config = {
        path: at('set'),
        names: at('names.jsonl'),
        descriptions: at('looks.jsonl.gz'),
        ...more,
      };
      const { pictures } = await openSource(sourceSchema.parse(config), ['en', 'de']);
      return pictures.map(({ description }) => description);
    };
    const [first, second] = await source({ kinds: 'imagenet' });
    expect(first).toMatchObject({
      concepts: [{ key: 'chihuahua' }, { key: 'dog', words: { de: ['Hund'] } }],
      features: ['large ears'],
      sentences: ['It is small.'],
    });
    expect(second?.concepts.map(({ key }) => key)).toEqual(['daisy', 'flower']);
    expect((await source({ kinds: at('kinds.jsonl') })).map(({ concepts }) => concepts[1]?.words)).toEqual([
      { en: ['animal'], de: ['Tier'] },
      { en: ['plant'] },
    ]);
    await writeFiles(folder.path, { 'few.tsv': 'n1\tdog\n' });
    await expect(source({ names: at('few.tsv') })).rejects.toThrow(
      /few\.tsv has no name for the class "n2" of "set"/,
    );
    await writeFiles(folder.path, { 'wrong.jsonl': jsonLines([{ en: ['animal'] }]) });
    await expect(source({ kinds: at('wrong.jsonl') })).rejects.toThrow(/"of"/);
  });
});

describe('the vocabulary', () => {
  test('is learned from captions, names and more texts, and Hugging Face’s tokenizers give the same ids', async () => {
    await writeFiles(folder.path, {
      'list.csv': 'file,caption,de\na.png,zebras gallop quickly,Zebras galoppieren\n',
      'a.png': await square('red'),
      'pets/poodle/a.png': await square('blue'),
      'more.tsv': 'umbrellas\tRegenschirme\n\n',
      'more.jsonl.gz': gzipSync(jsonLines([{ en: ['lanterns'], id: 3 }])),
    });
    const data = await open({ sources: [{ path: at('list.csv') }, { path: at('pets') }] });
    expect(wordsOf(data)).toEqual(
      expect.arrayContaining(['zebras gallop quickly', 'Zebras galoppieren', 'poodle']),
    );
    const texts = [at('more.tsv'), at('more.jsonl.gz')];
    // Each word stands once or three times: those that stand twice in some texts become tokens.
    const { tokenizer, files, vocabularySize } = await learnTokenizer(data, {
      size: 3000,
      contextLength: 60,
      texts: [...texts, ...texts],
    });
    expect(vocabularySize).toBeLessThanOrEqual(3000);
    for (const word of ['poodle', 'umbrellas', 'Regenschirme', 'lanterns', 'photo']) {
      expect(tokenizer.encode(word)).toHaveLength(1);
    }
    const library = new LibraryTokenizer(
      JSON.parse(files['tokenizer.json']),
      JSON.parse(files['tokenizer_config.json']),
    );
    const sentences = ['Zebras gallop, quickly!', 'a photo of a poodle', 'schön 🦓', "it's 2 o'clock"];
    for (const sentence of sentences) {
      const { ids } = library.encode(sentence) as { ids: number[] };
      const row = Array.from(tokenizer.tokenize([sentence]).data, Number);
      expect(row.slice(0, ids.length), sentence).toEqual(ids);
    }
    await expect(
      learnTokenizer(data, { size: 600, contextLength: 8, texts: [at('none.txt')] }),
    ).rejects.toThrow(/none\.txt/);
  });
});
