/** The words by which the bundled model's card was measured: read as `--labels-file` reads them, and for the sets' own classes. */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { readLabelsFile, wordsOfClasses } from '../../src/evaluate/labels.ts';
import { openDataset } from '../../src/evaluate/open.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
const folder = join(root, 'docs/bundled-model/labels');
const data = join(root, '../shared/data');
const files = readdirSync(folder).map((file) => {
  const [set = '', language = ''] = file.replace(/\.tsv$/, '').split('.');
  return { file, set, language };
});

test('the files are named after a set and a language, German ones for each', () => {
  for (const { file, set, language } of files) {
    expect(file).toBe(`${set}.${language}.tsv`);
    expect(['en', 'de']).toContain(language);
  }
  const sets = [...new Set(files.map(({ set }) => set))];
  const german = files.filter(({ language }) => language === 'de').map(({ set }) => set);
  expect(german).toEqual(sets);
  expect(sets.length).toBeGreaterThan(10);
});

describe.each(files)('$file', ({ file, set }) => {
  test.skipIf(!existsSync(join(data, set)))(
    'has words for every class of the set, and for no other',
    async () => {
      const labels = await readLabelsFile(join(folder, file));
      const { classes } = await openDataset(join(data, set));
      expect([...labels.keys()].sort()).toEqual(classes.map(({ key }) => key).sort());
      // Nor are two classes called the same, of which the second would never be the answer.
      const warnings: string[] = [];
      wordsOfClasses(classes, labels, (message) => warnings.push(message));
      expect(warnings).toEqual([]);
    },
  );
});
