/** Domains: photographs beside drawings of one colour, the rate of false alarms on fresh pictures, and files of other models. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Clip, loadClip } from '../../src/index.ts';
import { learnDomain, loadDomain } from '../../src/study/index.ts';
import { printedLines, runEidos } from '../command.ts';
import { plainPicture } from '../server/requests.ts';

const folder = mkdtempSync(join(tmpdir(), 'eidos-domain-'));
const dogs = fileURLToPath(new URL('../../examples/photographs/two-dogs.jpg', import.meta.url));
let clip: Clip;

/** Pictures of one colour each, near red. */
function reds(count: number, from: number): Uint8Array[] {
  return Array.from({ length: count }, (_, at) => {
    const number = from + at;
    return plainPicture([180 + ((number * 37) % 75), (number * 53) % 40, (number * 29) % 40]);
  });
}

async function gathered<T>(all: AsyncIterable<T>): Promise<T[]> {
  const items: T[] = [];
  for await (const item of all) items.push(item);
  return items;
}

beforeAll(async () => {
  clip = await loadClip();
});
afterAll(async () => {
  await clip.close();
  rmSync(folder, { recursive: true, force: true });
});

test('fresh pictures of the domain are rarely flagged, others are', async () => {
  const domain = await learnDomain(clip, reds(60, 0));
  let flagged = 0;
  for await (const answer of domain.judge(reds(200, 1000))) {
    if ('error' in answer) throw answer.error;
    expect(answer.p).toBeGreaterThanOrEqual(1 / 61);
    expect(answer.inside).toBe(answer.p > 0.05);
    if (!answer.inside) flagged++;
  }
  // 5 in 100 are meant; what sixty pictures tell of that is uncertain.
  expect(flagged / 200).toBeLessThan(0.12);
  for await (const answer of domain.judge([dogs])) {
    expect(answer).toMatchObject({ inside: false, p: 1 / 61 });
  }
});

test('a picture farther off has a larger distance by both measures', async () => {
  const domain = await learnDomain(clip, reds(30, 0));
  const [near, far] = await gathered(
    domain.judge([plainPicture([200, 20, 20]), plainPicture([20, 40, 220])]),
  );
  if (near === undefined || far === undefined || 'error' in near || 'error' in far) throw new Error('unread');
  expect(far.distance).toBeGreaterThan(near.distance);
  expect(far.distances.mahalanobis).toBeGreaterThan(near.distances.mahalanobis);
  expect(far.distance).toBe(far.distances.nearest);
});

test('what is written is read again, and refused where the model is another', async () => {
  const domain = await learnDomain(clip, reds(20, 0));
  const file = join(folder, 'reds.safetensors');
  await domain.save(file);
  const again = await loadDomain(file, { clip });
  const asked = [plainPicture([210, 10, 20]), plainPicture([0, 200, 0])];
  expect(await gathered(again.judge(asked))).toEqual(await gathered(domain.judge(asked)));
  const other = { ...clip, config: { ...clip.config, fingerprint: 'another' } };
  await expect(loadDomain(file, { clip: other })).rejects.toMatchObject({ code: 'config_mismatch' });
  const nonsense = join(folder, 'nonsense.safetensors');
  writeFileSync(nonsense, 'nonsense');
  await expect(loadDomain(nonsense, { clip })).rejects.toMatchObject({ code: 'invalid_checkpoint' });
  await expect(learnDomain(clip, reds(9, 0))).rejects.toThrow(/ten|10 pictures at least/);
});

test('the commands', () => {
  const own = join(folder, 'own');
  mkdirSync(own);
  reds(24, 0).forEach((bytes, at) => {
    writeFileSync(join(own, `${at}.png`), bytes);
  });
  const out = join(folder, 'own.safetensors');
  expect(runEidos(folder, ['domain', 'learn', own, '--out', out]).status).toBe(0);
  const { status, stdout } = runEidos(folder, [
    'domain',
    'judge',
    dogs,
    join(own, '3.png'),
    'none.jpg',
    '--domain',
    out,
    '--json',
  ]);
  expect(status).toBe(1);
  const lines = printedLines(stdout);
  expect(lines.find(({ image }) => image === dogs)).toMatchObject({
    inside: false,
    distances: expect.anything(),
  });
  expect(lines.find(({ image }) => image === 'none.jpg')).toHaveProperty('error.code');
  expect(runEidos(folder, ['domain', 'judge', dogs, '--domain', out, '--false-alarms', '2']).status).toBe(2);
});
