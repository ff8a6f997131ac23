import { join, resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import {
  dataSchema,
  resolveDataPaths,
  resolveTokenizerPaths,
  tokenizerSchema,
} from '../../../src/train/data/config.ts';

const smallest = { sources: [{ path: 'photos' }] };

describe('the data part of a configuration', () => {
  test('shows every default', () => {
    const data = dataSchema.parse(smallest);
    expect(data.augmentation).toMatchObject({
      area: [0.4, 1],
      flip: 0.5,
      grey: 0.05,
      coarse: 0.25,
      cutOut: 0,
    });
    expect(data.captions).toMatchObject({ languages: { en: 0.75, de: 0.25 }, joined: 0 });
    expect(data).toMatchObject({ maxBrokenShare: 0.01 });
    expect(data.sources[0]).toMatchObject({ weight: 1 });
  });

  test.each([
    ['a field with a typo', { ...smallest, sorces: [] }, 'sorces'],
    ['an unknown form', { sources: [{ path: 'x', form: 'zip' }] }, 'form'],
    ['a share above one', { ...smallest, augmentation: { grey: 2 } }, 'grey'],
    ['a range the wrong way round', { ...smallest, augmentation: { area: [1, 0.5] } }, 'area'],
    ['a name that is a path', { sources: [{ path: 'x', name: '../x' }] }, 'name'],
    ['languages without weight', { ...smallest, captions: { languages: { en: 0 } } }, 'languages'],
    ['no language', { ...smallest, captions: { languages: { English: 1 } } }, 'languages'],
    ['too many crops', { ...smallest, teacher: { model: 't.onnx', crops: 1000 } }, 'crops'],
  ])('refuses %s and names the field', (_, config, field) => {
    const { success, error } = dataSchema.safeParse(config);
    expect(success).toBe(false);
    expect(JSON.stringify(error?.issues)).toContain(field);
  });

  test('begins relative paths at the folder of its file, absolute ones and built-in names stay', () => {
    const config = dataSchema.parse({
      sources: [
        { path: ['a', '/b'], names: { file: 'names.json', set: 'x' }, kinds: 'imagenet', features: 'f.u8' },
        { path: 'shards/{000..003}.tar', names: 'labels.tsv', kinds: 'kinds.jsonl', descriptions: 'd.jsonl' },
      ],
      cache: 'cache',
      teacher: { model: 'teacher.onnx' },
    });
    const folder = resolve('/somewhere');
    const { sources, cache, teacher } = resolveDataPaths(config, folder);
    expect(sources[0]).toMatchObject({
      path: [join(folder, 'a'), resolve('/b')],
      names: { file: join(folder, 'names.json'), set: 'x' },
      kinds: 'imagenet',
      features: join(folder, 'f.u8'),
    });
    expect(sources[1]).toMatchObject({
      path: join(folder, 'shards/{000..003}.tar'),
      names: join(folder, 'labels.tsv'),
      kinds: join(folder, 'kinds.jsonl'),
      descriptions: join(folder, 'd.jsonl'),
    });
    expect(cache).toBe(join(folder, 'cache'));
    expect(teacher?.model).toBe(join(folder, 'teacher.onnx'));
    expect(dataSchema.parse(resolveDataPaths(config, folder))).toEqual(resolveDataPaths(config, folder));
  });

  test('takes a vocabulary to learn or one from a folder', () => {
    expect(tokenizerSchema.parse({ train: {} })).toEqual({
      train: { size: 8192, contextLength: 32, texts: [] },
    });
    expect(resolveTokenizerPaths({ from: 'model' }, '/m')).toEqual({ from: resolve('/m/model') });
    const learned = tokenizerSchema.parse({ train: { texts: ['t.txt'] } });
    expect(resolveTokenizerPaths(learned, '/m')).toMatchObject({ train: { texts: [resolve('/m/t.txt')] } });
    expect(tokenizerSchema.safeParse({ from: 'x', train: {} }).success).toBe(false);
  });
});
