import { existsSync } from 'node:fs';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { openCheckpoint } from '../../src/checkpoint/index.ts';
import { bundledFolder, loadClip } from '../../src/clip/load.ts';
import { evaluate, openDataset } from '../../src/evaluate/index.ts';
import { verifyModel } from '../../src/tasks/verify/verify.ts';
import { preprocessing } from '../../src/train/first-model/settings.ts';

const folder = bundledFolder();
const cifar10 = fileURLToPath(new URL('../../../shared/data/cifar10', import.meta.url));
if (!existsSync(cifar10)) {
  console.log('CIFAR-10 (../shared/data/cifar10) is not beside this clone: the accuracy is not measured.');
}

describe('the bundled model', () => {
  test('is an ordinary checkpoint of Hugging Face and small', async () => {
    const { layout, architecture, preprocessing: prepared } = await openCheckpoint(folder);
    expect(layout).toBe('hugging_face_clip');
    expect(architecture.image).toMatchObject({ kind: 'vit', imageSize: preprocessing.size });
    expect(prepared).toMatchObject({ size: preprocessing.size, mean: preprocessing.mean });
    let bytes = 0;
    for (const file of await readdir(folder)) bytes += (await stat(join(folder, file))).size;
    expect(bytes).toBeLessThan(25e6);
    const card = await readFile(join(folder, 'README.md'), 'utf8');
    for (const part of ['Flickr8k', 'ImageNet', 'research', 'CIFAR-10', 'cannot'])
      expect(card).toContain(part);
  });

  test('has a vocabulary of its own that fits its table', async () => {
    const clip = await loadClip();
    try {
      const tokenizer = await clip.tokenizer();
      expect(tokenizer.vocabularySize).toBe(clip.config.architecture.text.vocabularySize);
      const { data } = tokenizer.tokenize(['ein Hund am Strand']);
      expect(tokenizer.decode(data).trim()).toBe('ein hund am strand');
    } finally {
      await clip.close();
    }
  });

  test('computes here what it computed where it was made', async () => {
    for await (const { reference, passed } of verifyModel(folder, { device: 'cpu', dtype: 'fp32' })) {
      expect(reference).toBe('stored');
      expect(passed).toBe(true);
    }
  });

  test.skipIf(!existsSync(cifar10))(
    'beats chance clearly on a set that it never saw',
    { timeout: 60_000 },
    async () => {
      const clip = await loadClip();
      try {
        const { measurements } = await evaluate(clip, await openDataset(cifar10), { templates: 'cifar' });
        const accuracy = measurements.find(({ metric }) => metric === 'accuracy@1');
        expect(accuracy?.n).toBe(10_000);
        expect(accuracy?.value).toBeGreaterThan(0.25);
      } finally {
        await clip.close();
      }
    },
  );
});
