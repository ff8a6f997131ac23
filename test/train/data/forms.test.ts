import { chmod, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { sourceSchema } from '../../../src/train/data/config.ts';
import { openSource } from '../../../src/train/data/source.ts';
import { expandRanges } from '../../../src/train/data/source-paths.ts';
import { jsonLines, sheet, square, tar, temporaryFolder, writeFiles } from './tiny-data.ts';

/** An archive whose end is not marked, so that another can follow. */
const withoutEnd = (archive: Buffer): Buffer => {
  let length = archive.length;
  while (archive.subarray(length - 512, length).every((byte) => byte === 0)) length -= 512;
  return archive.subarray(0, length);
};

const folder = temporaryFolder();
let red: Buffer;
let blue: Buffer;
beforeAll(async () => {
  red = await square('red');
  blue = await square('blue');
});

const write = (files: Record<string, string | Uint8Array>) => writeFiles(folder.path, files);
const open = (path: string | string[], options: object = {}, languages = ['en', 'de']) => {
  const at = (one: string) => join(folder.path, one);
  return openSource(
    sourceSchema.parse({ path: typeof path === 'string' ? at(path) : path.map(at), ...options }),
    languages,
  );
};
const words = ({ pictures }: Awaited<ReturnType<typeof open>>) =>
  pictures.map(({ description: { captions, concepts } }) => [captions, concepts.map(({ key }) => key)]);

describe('class folders', () => {
  test('are classes in words, and only their part for training is taken', async () => {
    await write({ 'plain/big_cat/a.png': red, 'plain/dog/b/c.png': blue });
    const plain = await open('plain');
    expect(plain.form).toBe('class_folders');
    expect(words(plain)).toEqual([
      [{}, ['big cat']],
      [{}, ['dog']],
    ]);
    await write({ 'parts/train/dog/a.png': red, 'parts/test/dog/b.png': red });
    expect((await open('parts')).pictures.map(({ name }) => name)).toEqual([
      expect.stringContaining(join('train', 'dog', 'a.png')),
    ]);
    expect((await open('parts', { split: 'all' })).pictures).toHaveLength(2);
  });

  test('with parts for measuring alone are never trained on by accident', async () => {
    await write({ 'measured/test/dog/a.png': red, 'measured/val/dog/b.png': red });
    await expect(open('measured')).rejects.toMatchObject({
      code: 'not_found',
      message: expect.stringMatching(/test, val|val, test/),
    });
    await expect(open('measured', { split: 'train' })).rejects.toMatchObject({ code: 'not_found' });
    expect((await open('measured', { split: 'test' })).pictures).toHaveLength(1);
    // Whatever lies beside the parts, if it holds no pictures.
    await write({ 'parts/notes/read.me': 'Notes.' });
    expect((await open('parts')).pictures).toHaveLength(1);
  });
});

describe('an index file', () => {
  test('finds pictures in shards and beside them, with captions, labels and lines', async () => {
    await write({
      'index/train.tar': await tar({ 'a.png': red, 'c.png': blue }),
      'index/loose/d.png': blue,
      'index/index.jsonl': jsonLines([
        { file: 'a.png', split: 'train', en: [' One . ', ''], de: 'Eins.', fr: 'Un.' },
        { file: 'b.png', split: 'test', en: 'Two.' },
        { file: 'c.png', split: 'train', wnid: 'n1', name: 'big_cat' },
        { file: 'loose/d.png', split: 'train', label: 7 },
        { file: 'a.png', split: 'train', en: 'Once more.' },
      ]),
    });
    const source = await open('index');
    expect(words(source)).toEqual([
      [{ en: ['One .', 'Once more.'], de: ['Eins.'] }, []],
      [{}, ['big_cat']],
      [{}, ['7']],
    ]);
    expect(source.pictures.map(({ row }) => row)).toEqual([0, 2, 3]);
    expect(source.pictures.map(({ place }) => place.kind)).toEqual(['part', 'part', 'file']);
    expect(words(await open('index', {}, ['fr']))[0]).toEqual([{ fr: ['Un.'] }, []]);
  });

  test('keeps pictures of two parts apart that have one name', async () => {
    await write({
      'twice/test.tar': await tar({ 'a.png': blue }),
      'twice/train.tar': await tar({ 'first.png': blue, 'a.png': red }),
      'twice/index.jsonl': jsonLines([
        { file: 'a.png', split: 'test', label: 'blue' },
        { file: 'a.png', split: 'train', label: 'red' },
      ]),
    });
    const { pictures } = await open('twice');
    expect(pictures.map(({ row }) => row)).toEqual([1]);
    expect(pictures[0]?.place).toMatchObject({ kind: 'part', path: expect.stringMatching(/train\.tar$/) });
  });

  test('counts lines in broken encodings and shards that are cut off', async () => {
    const shard = await tar({ 'a.png': red, 'b.png': blue });
    await write({
      'cut/train.tar': shard.subarray(0, 1500),
      'cut/index.jsonl': Buffer.concat([
        Buffer.from(jsonLines([{ file: 'a.png', en: 'Red.' }])),
        Buffer.from('{"file": "b.png", "en": "Grün."}\n', 'latin1'),
        Buffer.from(jsonLines([{ file: 'c.png', en: 'Nobody can read \uFFFD.' }])),
        Buffer.from(jsonLines([{ file: 'd.png' }])),
      ]),
    });
    const { pictures, broken } = await open('cut');
    expect(pictures).toHaveLength(1);
    expect(broken.map(({ reason }) => reason)).toEqual([
      'it is no UTF-8',
      'it is no UTF-8',
      expect.stringContaining('cut off'),
      expect.stringContaining('neither a class nor a caption in en'),
    ]);
    expect(broken[0]?.name).toContain('index.jsonl, line 2');
  });

  test.each([
    ['no JSON', '{"file": \n', /line 1 is no JSON/],
    ['a path outside', '{"file": "../a.png"}\n', /line 1: "file" must lie below/],
    ['a field of another type', '\n{"file": 3}\n', /line 2: "file"/],
    [
      'a picture of two classes',
      jsonLines([
        { file: 'a.png', split: 'train', label: 'one' },
        { file: 'a.png', split: 'train', label: 'two' },
      ]),
      /line 2 gives a\.png another label/,
    ],
    ['nothing', '\n', /is empty/],
  ])('with %s is refused by its line', async (_, content, message) => {
    await write({ 'malformed/index.jsonl': content });
    await expect(open('malformed')).rejects.toMatchObject({
      code: 'invalid_option',
      message: expect.stringMatching(message),
    });
  });
});

describe('tile sheets', () => {
  test('are tiles of the part for training, and missing sheets are broken samples', async () => {
    await write({
      'tiles/index.json': JSON.stringify({
        tile: 4,
        columns: { train: 2, val: 1 },
        train: 3,
        val: 1,
        classes: [{ wnid: 'n1', names: ['gold_fish', 'Carassius auratus'] }, 'sea'],
      }),
      'tiles/train/n1.png': await sheet(4, 2, ['red', 'green', 'blue']),
    });
    const { pictures, broken, form } = await open('tiles');
    expect(form).toBe('tile_sheets');
    expect(pictures.map(({ place }) => (place.kind === 'tile' ? place.tile : undefined))).toEqual([0, 1, 2]);
    expect(pictures[2]?.concept?.words.en).toEqual(['gold fish']);
    expect(broken).toHaveLength(3);
    expect(broken[0]?.reason).toContain('sea');
  });
});

describe('tar shards without an index', () => {
  test('group files by name, whatever stands between them', async () => {
    await write({
      'shards/part-008.tar': await tar({
        'x/a.png': red,
        'x/a.txt': Buffer.from('A red square.\nRed!\n'),
        'b.de.txt': Buffer.from('Ein blaues Quadrat.'),
        'b.png': blue,
        'readme.md': Buffer.from('nothing'),
      }),
      'shards/part-009.tar': await tar({
        'a.json': Buffer.from(JSON.stringify({ caption: 'Another.', de: ['Noch eins.'], label: 'square' })),
        'a.png': red,
        'c.cls': Buffer.from('circle\n'),
        'c.png': blue,
      }),
      'shards/part-010.tar': await tar({
        'lonely.txt': Buffer.from('No picture.'),
        'd.png': blue,
        'd.txt': Buffer.from('K\xe4se', 'latin1'),
        'e.json': Buffer.from('{'),
        'e.png': red,
        'f.png': red,
        'f.txt': Buffer.from('Fine.'),
      }),
    });
    const source = await open('shards/part-{008..010}.tar');
    expect(source.form).toBe('tar_shards');
    expect(words(source)).toEqual([
      [{ en: ['A red square.', 'Red!'] }, []],
      [{ de: ['Ein blaues Quadrat.'] }, []],
      [{ en: ['Another.'], de: ['Noch eins.'] }, []],
      [{}, ['circle']],
      [{ en: ['Fine.'] }, []],
    ]);
    expect(source.broken.map(({ reason }) => reason)).toEqual([
      'it has words but no picture',
      'its .txt is no UTF-8',
      expect.stringContaining('malformed'),
    ]);
    expect((await open('shards')).pictures).toEqual(source.pictures);
    expect((await open('shards/part-*.tar')).pictures).toHaveLength(5);
    expect((await open(['shards/part-008.tar'])).pictures).toHaveLength(2);
  });

  test('name samples up to the last dot where every picture has its words so', async () => {
    await write({
      'dots/part-0.tar': await tar({
        'cam.1.jpg': red,
        'cam.2.jpg': blue,
        'cam.2.txt': 'a blue square',
        'cam.1.txt': 'a red square',
        'key.input.png': red,
        'key.txt': 'by the first dot',
      }),
    });
    const { pictures, broken } = await open('dots');
    expect(pictures.map(({ name, description }) => [name.split(' in ')[0], description.captions.en])).toEqual(
      [
        ['cam.1', ['a red square']],
        ['cam.2', ['a blue square']],
        ['key', ['by the first dot']],
      ],
    );
    expect(broken).toEqual([]);
  });

  test('never choose between two pictures or two texts, and name both', async () => {
    const twice = await tar({ 'twin.png': red, 'twin.txt': 'first' });
    await write({
      'choice/part-0.tar': await tar({
        'tent.jpg': red,
        'tent.png': blue,
        'tent.txt': 'a tent',
        'lake.jpg': red,
        'lake.txt': 'a lake',
        'hill.jpg': red,
        'hill.txt': 'a hill',
        'hill.v2.txt': 'another hill',
        'seg.jpg': red,
        'seg.mask.png': blue,
        'seg.txt': 'a scene',
        'bay.png': red,
        'bay.txt': 'a bay',
        'bay.json': JSON.stringify({ caption: 'a harbour' }),
        'moor.png': red,
        'moor.txt': 'a moor\n',
        'moor.json': JSON.stringify({ caption: 'a moor', key: '1' }),
        '._lake.jpg': 'mac',
        '._lake.txt': 'mac',
        '__MACOSX/lake.jpg': 'mac',
      }),
      'choice/part-1.tar': Buffer.concat([withoutEnd(twice), await tar({ 'twin.png': blue, 'ok.png': red })]),
    });
    const { pictures, broken } = await open('choice');
    expect(pictures.map(({ description }) => description.captions.en)).toEqual([
      ['a lake'],
      ['a hill'],
      ['a moor'],
    ]);
    expect(broken.map(({ name, reason }) => `${name.split(' in ')[0]}: ${reason}`)).toEqual([
      'tent: it has two pictures: tent.jpg and tent.png',
      'hill.v2: it has words but no picture: hill.v2.txt stands beside hill.jpg and hill.txt',
      'seg: it has two pictures: seg.jpg and seg.mask.png',
      'bay: its .txt and .json say different things in one language (en)',
      'twin: it has two pictures: twin.png stands twice in the shard',
      expect.stringMatching(/^ok: it has neither/),
    ]);
  });

  test('give every sample the words that a folder with the same files gives it', async () => {
    const stem = fc
      .array(fc.constantFrom('a', 'b', '1', '2024', 'cam'), { minLength: 1, maxLength: 3 })
      .map((steps) => steps.join('.'));
    let run = 0;
    await fc.assert(
      fc.asyncProperty(fc.uniqueArray(stem, { minLength: 1, maxLength: 4 }), async (stems) => {
        const files = Object.fromEntries(
          stems.flatMap((one): [string, Buffer][] => [
            [`${one}.png`, red],
            [`${one}.txt`, Buffer.from(`words of ${one}`)],
          ]),
        );
        const place = `same-${run++}`;
        await write({ [`${place}/a.tar`]: await tar(files) });
        await write(
          Object.fromEntries(Object.entries(files).map(([name, content]) => [`${place}-f/${name}`, content])),
        );
        const captions = ({ pictures }: Awaited<ReturnType<typeof open>>) =>
          pictures.map(({ description }) => description.captions.en).sort();
        expect(captions(await open(`${place}`))).toEqual(captions(await open(`${place}-f`)));
      }),
      { numRuns: 25 },
    );
  });

  test('are of the parts that they are named after, and those for measuring are not trained on', async () => {
    const shard = (key: string) => tar({ [`${key}.png`]: red, [`${key}.txt`]: Buffer.from(key) });
    await write({
      'named/train-000.tar': await shard('one'),
      'named/cc3m-train-0001.tar': await shard('two'),
      'named/more.tar': await shard('three'),
      'named/test-000.tar': await shard('four'),
      'named/cc3m-validation-0000.tar': await shard('five'),
    });
    const captions = async (path: string, split?: string) =>
      (await open(path, { split })).pictures.map(({ description }) => description.captions.en?.[0]);
    expect(await captions('named')).toEqual(['two', 'three', 'one']);
    expect(await captions('named/*.tar')).toEqual(['two', 'three', 'one']);
    expect(await captions('named', 'test')).toEqual(['four']);
    expect(await captions('named', 'all')).toHaveLength(5);
    await expect(open('named/test-000.tar')).rejects.toMatchObject({
      code: 'not_found',
      message: expect.stringMatching(/named has the parts test, and none is for training.*"all"/),
    });
    // What is named after no part is for training where the others are for measuring.
    await write({ 'aside/more.tar': await shard('eight'), 'aside/more-test.tar': await shard('nine') });
    expect(await captions('aside')).toEqual(['eight']);
    await write({ 'words/testament-0.tar': await shard('six'), 'words/part-0.tar': await shard('seven') });
    expect(await captions('words')).toEqual(['seven', 'six']);
  });

  test('that are missing or no archives are named', async () => {
    await write({ 'bad/part-0.tar': 'not an archive, but long enough to look like one'.repeat(20) });
    await expect(open('bad')).rejects.toMatchObject({
      code: 'invalid_option',
      message: expect.stringContaining('part-0.tar is no sound tar archive'),
    });
    await expect(open('bad/part-{0..3}.tar')).rejects.toMatchObject({
      code: 'not_found',
      message: expect.stringContaining('part-1.tar'),
    });
    await expect(open('shards', { split: 'train' })).rejects.toMatchObject({
      code: 'not_found',
      message: expect.stringMatching(/shards has no parts, not "train"/),
    });
  });

  test.skipIf(process.getuid?.() === 0)('that may not be read are named', async () => {
    await write({ 'locked/part-0.tar': await tar({}) });
    await chmod(join(folder.path, 'locked'), 0);
    await expect(open('locked')).rejects.toMatchObject({
      code: 'not_found',
      message: expect.stringMatching(/locked cannot be read: EACCES.* Change its permissions/),
    });
    await chmod(join(folder.path, 'locked'), 0o755);
  });

  test('take ranges with as many digits as the first number', () => {
    expect(expandRanges('a{08..11}-{0..1}')).toEqual([
      'a08-0',
      'a08-1',
      'a09-0',
      'a09-1',
      'a10-0',
      'a10-1',
      'a11-0',
      'a11-1',
    ]);
    expect(expandRanges('plain')).toEqual(['plain']);
    expect(() => expandRanges('a{3..1}')).toThrow(/upwards/);
    expect(() => expandRanges('a{0..99999999}')).toThrow(/at most/);
  });
});

describe('a folder of captioned pictures', () => {
  test('needs no more than a text file beside each', async () => {
    await write({
      'photos/beach.png': red,
      'photos/beach.txt': 'A beach.\n\nSand and sea.',
      'photos/summer/lake.png': blue,
      'photos/summer/lake.de.txt': 'Ein See.',
      'photos/summer/alone.png': blue,
      'photos/notes.txt': 'Buy milk.',
    });
    const source = await open('photos');
    expect(source.form).toBe('caption_files');
    expect(words(source)).toEqual([
      [{ en: ['A beach.', 'Sand and sea.'] }, []],
      [{ de: ['Ein See.'] }, []],
    ]);
    expect(source.broken.map(({ name }) => name)).toEqual([expect.stringContaining('alone.png')]);
  });

  test('may have folders for its parts, and only the one for training is taken', async () => {
    const pair = (name: string) => ({ [`${name}.png`]: red, [`${name}.txt`]: name });
    await write({
      ...pair('split/train/a'),
      ...pair('split/Test/b'),
      ...pair('split/validation/deep/c'),
      ...pair('split/more/d'),
      ...pair('split/train-station'),
      ...pair('measured-captions/val/a'),
    });
    const captions = async (path: string, split?: string) =>
      (await open(path, { split })).pictures.map(({ description }) => description.captions.en?.[0]);
    expect(await captions('split')).toEqual(['split/more/d', 'split/train-station', 'split/train/a']);
    expect(await captions('split', 'validation')).toEqual(['split/validation/deep/c']);
    expect(await captions('split', 'all')).toHaveLength(5);
    await expect(open('measured-captions')).rejects.toMatchObject({
      code: 'not_found',
      message: expect.stringMatching(/has the parts val, and none is for training/),
    });
    await expect(open('photos', { split: 'test' })).rejects.toMatchObject({
      code: 'not_found',
      message: expect.stringMatching(/photos has no parts, not "test"/),
    });
  });

  test('may have names with dots, and several pictures of one name', async () => {
    await write({
      'dotted/2024.05.01.png': red,
      'dotted/2024.05.01.txt': 'The first of May.',
      'dotted/2024.05.02.png': blue,
      'dotted/2024.05.02.de.txt': 'Der zweite Mai.',
      'dotted/pair.png': red,
      'dotted/pair.webp': blue,
      'dotted/pair.txt': 'Twice.',
    });
    const source = await open('dotted');
    expect(words(source).map(([captions]) => captions)).toEqual([
      { en: ['The first of May.'] },
      { de: ['Der zweite Mai.'] },
      { en: ['Twice.'] },
      { en: ['Twice.'] },
    ]);
    expect(new Set(source.pictures.map(({ name }) => name)).size).toBe(4);
  });
});

describe('a table', () => {
  beforeAll(() => write({ 'a.png': red, 'b.png': blue, 'c.png': red }));

  test.each([
    ['list.csv', 'path,caption,de,split\na.png,"Red, or so","Rot",train\nb.png,Blue,,test\n'],
    ['list.tsv', 'file\ttext\tde\tsplit\na.png\tRed, or so\tRot\ttrain\nb.png\tBlue\t\tval\n'],
    ['list.jsonl', jsonLines([{ image: 'a.png', title: 'Red, or so', de: ['Rot'] }])],
    ['list.csv.gz', gzipSync('image,en,de\na.png,"Red, or so",Rot')],
  ])('%s of usual columns needs no more words', async (name, content) => {
    await write({ [`tables/${name}`]: content, 'tables/a.png': red });
    const source = await open(`tables/${name}`);
    expect(source.form).toBe('table');
    expect(words(source)).toEqual([[{ en: ['Red, or so'], de: ['Rot'] }, []]]);
    expect(source.pictures[0]?.place).toEqual({ kind: 'file', path: join(folder.path, 'tables', 'a.png') });
  });

  test('of other columns takes the names of those', async () => {
    await write({ 'other.csv': 'Foto,Beschreibung,Art\na.png,Ein Hund,dog\n,Ohne Bild,dog\n' });
    const columns = { file: 'Foto', captions: { de: 'Beschreibung' }, label: 'Art' };
    const source = await open('other.csv', { columns, words: 'both' });
    expect(words(source)).toEqual([[{ de: ['Ein Hund'] }, ['dog']]]);
    expect(source.broken).toEqual([
      { name: expect.stringContaining('line 3'), reason: 'its "Foto" is empty' },
    ]);
    await expect(open('other.csv')).rejects.toThrow(/columns "Foto", "Beschreibung", "Art".*columns\.file/);
    await expect(open('other.csv', { columns: { file: 'Foto' } })).rejects.toThrow(/columns\.captions\.en/);
    await expect(open('other.csv', { columns: { file: 'Photo' } })).rejects.toThrow(/no column "Photo"/);
  });

  test('with a line a caption has one picture for all lines of a file', async () => {
    await write({
      'flickr.csv':
        'image,caption,de,split,label\n' +
        'a.png,A dog,Ein Hund,train,\nb.png,A sea,,train,sea\na.png,A brown animal,,train,dog\n' +
        './a.png,A dog in a test,,test,dog\na.png,,Ein Tier,train,dog\na.png,A cat,,train,cat\n',
      'more.csv': 'image,caption\na.png,Once more\n',
    });
    const source = await open(['flickr.csv', 'more.csv']);
    const dog = { en: ['A dog', 'A brown animal', 'Once more'], de: ['Ein Hund', 'Ein Tier'] };
    expect(words(source)).toEqual([
      [dog, []],
      [{ en: ['A sea'] }, []],
    ]);
    expect(source.pictures.map(({ row, concept }) => [row, concept?.key])).toEqual([
      [0, 'dog'],
      [1, 'sea'],
    ]);
    expect(source.broken).toEqual([
      {
        name: expect.stringContaining('flickr.csv, line 7'),
        reason: 'it gives a.png the label "cat", and a line before "dog"',
      },
    ]);
    const whole = await open('flickr.csv', { split: 'all' });
    expect(whole.pictures).toHaveLength(2);
    expect(whole.pictures[0]?.description.captions.en).toEqual([
      'A dog',
      'A brown animal',
      'A dog in a test',
    ]);
  });

  test('in other languages than those wanted is refused with the way out', async () => {
    await write({ 'french.csv': 'id,file,fr\n1,a.png,Un chien\n' });
    await expect(open('french.csv')).rejects.toMatchObject({
      code: 'invalid_option',
      message: expect.stringMatching(
        /columns\.captions\.en, .*than en and de .*data\.captions\.languages, such as { "fr": 1 }.*columns\.captions\.fr/,
      ),
    });
    await expect(open('french.csv', {}, ['de'])).rejects.toThrow(/as columns\.captions\.de/);
    expect(words(await open('french.csv', {}, ['fr']))).toEqual([[{ fr: ['Un chien'] }, []]]);
    await write({ 'both.csv': 'file,caption,texte\na.png,A dog,Un chien\n' });
    const columns = { captions: { fr: 'texte' } };
    await expect(open('both.csv', { columns })).rejects.toMatchObject({
      code: 'invalid_option',
      message: expect.stringMatching(
        /columns\.captions\.fr names "texte".*data\.captions\.languages has no "fr", only en, de/,
      ),
    });
    expect(words(await open('both.csv', { columns }, ['en', 'fr']))).toEqual([
      [{ en: ['A dog'], fr: ['Un chien'] }, []],
    ]);
  });

  test('knows the usual columns, and the configuration tells of each', async () => {
    const pictures = ['file', 'path', 'image', 'picture', 'filename', 'file_name', 'filepath', 'url'];
    const said = ['en', 'caption', 'captions', 'text', 'title', 'label', 'class', 'wnid'];
    for (const header of [...pictures.map((name) => [name, 'en']), ...said.map((name) => ['file', name])]) {
      await write({ 'usual.csv': `${header}\na.png,red\n` });
      expect(JSON.stringify(words(await open('usual.csv')))).toContain('red');
    }
    const config = await readFile(new URL('../../../src/train/data/config.ts', import.meta.url), 'utf8');
    const described = /const columnsSchema.*?^}\);/ms.exec(config)?.[0];
    // English is told of as the language's code.
    for (const name of [...pictures, ...said.slice(1)]) expect(described).toContain(`\`${name}\``);
  });

  test('with broken lines counts them', async () => {
    const bytes = Buffer.from('file,caption\na.png,ok\nb.png,Käse\nc.png,a,b\nd.png,"open\n', 'latin1');
    await write({ 'broken.csv': bytes });
    const { pictures, broken } = await open('broken.csv');
    expect(pictures).toHaveLength(1);
    expect(broken.map(({ name }) => name.slice(-6))).toEqual(['line 3', 'line 4', 'line 5']);
    await write({ 'headless.csv': 'file,"caption\na.png,ok\n' });
    await expect(open('headless.csv')).rejects.toThrow(/line 1 should name the columns: a quoted field/);
  });

  test('with captions that begin with a quote loses no row', async () => {
    await write({
      'quotes.tsv': 'file\tcaption\na.png\t"Stop" it says\nb.png\t"Open\nc.png\tA sea\n',
      'quotes.csv': `file,caption\na.png,"Open\n${'b.png,A sea\n'.repeat(2)}c.png,"A dog, brown"\n`,
    });
    const captions = async (name: string) =>
      (await open(name)).pictures.map(({ description }) => description.captions.en);
    expect(await captions('quotes.tsv')).toEqual([['"Stop" it says'], ['"Open'], ['A sea']]);
    expect(await captions('quotes.csv')).toEqual([['A sea', 'A sea'], ['A dog, brown']]);
    expect((await open('quotes.csv')).broken.map(({ name }) => name.slice(-6))).toEqual(['line 2']);
  });
});

describe('captions in other languages alone', () => {
  test.each([
    ['an index', { 'index.jsonl': jsonLines([{ file: 'a.png', fr: 'Un chien.' }]) }],
    ['a folder of captioned pictures', { 'a.fr.txt': 'Un chien.' }],
  ])('%s names the languages that are wanted', async (name, files) => {
    const folder = `french ${name}`;
    await write({ [`${folder}/a.png`]: red });
    for (const [file, content] of Object.entries(files)) await write({ [`${folder}/${file}`]: content });
    await expect(open(folder)).rejects.toMatchObject({
      code: 'invalid_option',
      message: expect.stringMatching(
        /neither a class nor a caption in en or de \(data\.captions\.languages\)/,
      ),
    });
    expect(words(await open(folder, {}, ['fr']))).toEqual([[{ fr: ['Un chien.'] }, []]]);
  });
});

describe('a folder with a table', () => {
  beforeAll(() => write({ 'a.png': red, 'b.png': blue, 'c.png': red }));

  test('is what the table says, not classes by the folder that the pictures lie in', async () => {
    await write({
      'album/album.csv': 'file,caption\nscans/a.png,A red square.\nscans/b.png,A blue one.\n',
      'album/scans/a.png': red,
      'album/scans/b.png': blue,
    });
    const album = await open('album');
    expect(album.form).toBe('table');
    expect(words(album)).toEqual([
      [{ en: ['A red square.'] }, []],
      [{ en: ['A blue one.'] }, []],
    ]);
    // A table that tells of no files is none of pictures.
    for (const content of ['class,count\ncat,1\n', 'path,width,id\ncat/a.png,16,1\n']) {
      await write({ 'sorted/cat/a.png': red, 'sorted/dog/b.png': blue, 'sorted/about.csv': content });
      expect((await open('sorted')).form).toBe('class_folders');
    }
  });

  test('gives each picture its row among those of all parts, and parts may have capitals', async () => {
    await write({
      'parts.csv':
        'file,caption,split\na.png,Seen.,Test\nb.png,Red.,Train\nb.png,Blue.,Train\na.png,Again.,Test\nc.png,Sea.,Train\n',
    });
    const { pictures } = await open('parts.csv');
    expect(pictures.map(({ row, description }) => [row, description.captions.en])).toEqual([
      [1, ['Red.', 'Blue.']],
      [2, ['Sea.']],
    ]);
  });

  test('may part its fields with semicolons, as spreadsheets do where commas part numbers', async () => {
    await write({ 'excel.csv': 'file;caption\na.png;Rot, und blau.\n', 'a.png': red });
    expect(words(await open('excel.csv'))).toEqual([[{ en: ['Rot, und blau.'] }, []]]);
  });

  test('without names of columns, or with files that are not there, says so', async () => {
    await write({
      'bare.csv': 'a.png,A red square.\n',
      'gone.csv': 'file,caption\na.png,Red.\nb/gone.png,Blue.\n',
    });
    await expect(open('bare.csv')).rejects.toThrow(/bare\.csv, line 1 should name the columns.*"a\.png"/);
    const { pictures, broken } = await open('gone.csv');
    expect(pictures).toHaveLength(1);
    expect(broken).toEqual([
      {
        name: expect.stringMatching(/^b\/gone\.png \(.*gone\.csv, line 3\)$/),
        reason: `there is no ${join(folder.path, 'b/gone.png')}`,
      },
    ]);
  });
});

describe('no data', () => {
  test.each([
    ['an empty folder', 'empty'],
    ['a folder of pictures without words', 'wordless'],
  ])('%s is an error that says what is needed', async (_, name) => {
    await write({ 'empty/.keep': '', 'wordless/a.png': red });
    await expect(open(name)).rejects.toMatchObject({
      code: 'invalid_option',
      message: expect.stringContaining(
        `${name} is empty or no data that eidos knows: it needs a folder with index.jsonl`,
      ),
    });
  });

  test('a path that is not there is named', async () => {
    await expect(open('nowhere')).rejects.toMatchObject({
      code: 'not_found',
      message: expect.stringContaining('nowhere'),
    });
  });

  test('a source whose every sample is broken names the first', async () => {
    await writeFile(join(folder.path, 'all.csv'), Buffer.from('file,caption\na.png,\xff\n', 'latin1'));
    await expect(open('all.csv')).rejects.toThrow(/"all".*all\.csv, line 2: it is no UTF-8/);
  });
});
