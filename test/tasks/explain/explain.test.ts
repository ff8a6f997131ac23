/** `eidos explain` and `createExplainer` on real photographs with the bundled model. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Clip, loadClip } from '../../../src/index.ts';
import { createExplainer, type Explanation } from '../../../src/tasks/explain/index.ts';
import { runEidos } from '../../command.ts';

const dogs = fileURLToPath(new URL('../../../examples/photographs/two-dogs.jpg', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'eidos-explain-'));
let clip: Clip;
beforeAll(async () => {
  clip = await loadClip();
});
afterAll(async () => {
  await clip.close();
  rmSync(folder, { recursive: true, force: true });
});

describe('an explanation', () => {
  let answer: Explanation;
  beforeAll(async () => {
    answer = await createExplainer(clip).explain(dogs, { text: 'two dogs', method: 'grad_cam' });
  });

  test('has a map over the whole upright picture, and the cosine that search and classify have', async () => {
    const { map, similarity } = answer;
    expect(map.values).toHaveLength(map.width * map.height);
    expect(Math.max(map.width, map.height)).toBe(128);
    expect(map.values.every(Number.isFinite)).toBe(true);
    const [image, text] = [await clip.embedImages(dogs), await clip.embedTexts('two dogs')];
    expect(similarity).toBeCloseTo(clip.similarity(image, text).data[0]!, 4);
  });

  test('is put to the test beside random orders', () => {
    const { faithfulness } = answer;
    expect(faithfulness!.insertion).toBeGreaterThan(faithfulness!.randomInsertion);
    expect(faithfulness!.deletion).toBeLessThan(faithfulness!.randomDeletion);
    expect(faithfulness!.betterThanRandom).toBe(true);
  });

  test('says which word counts, and what is on the picture', () => {
    const [number, noun] = answer.words;
    expect(answer.words.map(({ word }) => word)).toEqual(['two', 'dogs']);
    expect(noun!.effect).toBeGreaterThan(number!.effect);
    expect(answer.concepts.map(({ word }) => word)).toContain('dog');
    expect(answer.concepts.every(({ weight }) => weight > 0)).toBe(true);
  });
});

test('against another text the similarity is a difference, and turns with the question', async () => {
  const explainer = createExplainer(clip);
  const options = { faithfulness: false, method: 'grad_cam' } as const;
  const one = await explainer.explain(dogs, { text: 'dogs', against: 'a cat', ...options });
  const other = await explainer.explain(dogs, { text: 'a cat', against: 'dogs', ...options });
  expect(one.similarity).toBeCloseTo(-other.similarity, 5);
  expect(one.similarity).toBeGreaterThan(0);
  expect(one.faithfulness).toBeUndefined();
  one.map.values.forEach((value, at) => {
    expect(value).toBeCloseTo(-other.map.values[at]!, 4);
  });
});

test('what the model did not see is 0', async () => {
  const [width, height] = [300, 60];
  const data = new Uint8Array(width * height * 3).map((_, at) => (at * 37) % 256);
  const { map } = await createExplainer(clip).explain(
    { data, width, height, channels: 3 },
    { text: 'a wall', faithfulness: false, method: 'occlusion' },
  );
  expect(map.width).toBeGreaterThan(map.height);
  if (clip.config.preprocessing.resize !== 'shortest') return;
  for (let y = 0; y < map.height; y++) expect(map.values[y * map.width]).toBe(0);
  expect(map.values.some((value) => value !== 0)).toBe(true);
});

test('nonsense is refused by name', async () => {
  const explainer = createExplainer(clip);
  await expect(explainer.explain(dogs, { text: ' ' })).rejects.toThrow(/text is empty/);
  await expect(explainer.explain(dogs, { text: 'a', against: '' })).rejects.toThrow(/against is empty/);
  await expect(explainer.explain(dogs, { text: 'a', method: 'magic' as never })).rejects.toThrow(
    /no method 'magic'/,
  );
  await expect(explainer.explain(dogs, { text: 'a', method: 'relevance' })).rejects.toThrow(
    /nothing to look at/,
  );
  await expect(explainer.explain(dogs, { text: 'a', texts: 'b' } as never)).rejects.toThrow(/"texts"/);
  await expect(explainer.explain('nowhere.jpg', { text: 'a' })).rejects.toMatchObject({ code: 'not_found' });
});

test('the command: one JSON line, a picture, a page, and its refusals', () => {
  const page = join(folder, 'why.html');
  const asked = ['explain', dogs, '--text', 'a <b>cat</b>', '--no-faithfulness'];
  const { status, stdout } = runEidos(folder, [...asked, '--json', '--out', page]);
  expect(status).toBe(0);
  const line = JSON.parse(stdout) as Explanation;
  expect(Object.keys(line)).toEqual(
    expect.arrayContaining(['image', 'text', 'similarity', 'method', 'map', 'words', 'concepts']),
  );
  const html = readFileSync(page, 'utf8');
  expect(html).toContain('a &lt;b&gt;cat&lt;/b&gt;');
  expect(html).not.toMatch(/(src|href)="http/);
  const png = join(folder, 'why.png');
  expect(runEidos(folder, [...asked, '--out', png]).status).toBe(0);
  expect(readFileSync(png).subarray(1, 4).toString()).toBe('PNG');
  expect(runEidos(folder, [...asked, '--out', join(folder, 'why.gif')]).status).toBe(2);
  expect(runEidos(folder, ['explain', 'nowhere.jpg', '--text', 'a', '--json']).status).toBe(1);
  expect(runEidos(folder, ['explain', dogs]).status).toBe(2);
});
