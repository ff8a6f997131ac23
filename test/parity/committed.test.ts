/** The committed selection is small, is what the whole set has, and is enough to prove the claims made of it. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { expect, test } from 'vitest';
import { sharedFixtures } from '../fixtures.ts';
import { committedFixtures, findFixture } from './fixture-files.ts';
import { parityChecks } from './table.ts';

const files = readdirSync(committedFixtures, { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile())
  .map((entry) => `${entry.parentPath.replace(/\/?$/, '/')}${entry.name}`.slice(committedFixtures.length));

test('at most 8 MB', () => {
  const bytes = files.reduce((sum, file) => sum + statSync(committedFixtures + file).size, 0);
  expect(bytes).toBeLessThanOrEqual(8_000_000);
});

test('numbers only: no pictures, no vocabulary', () => {
  const others = files.filter((file) => file.includes('/') && !/\.(safetensors|json)$/.test(file));
  expect(others).toEqual([]);
});

test('its folders are named in its README', () => {
  const readme = readFileSync(`${committedFixtures}README.md`, 'utf8');
  const folders = new Set(files.filter((file) => file.includes('/')).map((file) => file.split('/')[0]!));
  expect([...folders].filter((folder) => !readme.includes(`\`${folder}\``))).toEqual([]);
});

test('it proves towers, gradients, batch norm, losses and the zero-shot head by itself', () => {
  const here = parityChecks.filter(({ needs }) =>
    needs.every((path) => findFixture(path)?.startsWith(committedFixtures)),
  );
  const claims = here.map(({ folder, what }) => `${folder}: ${what}`);
  for (const claim of [
    'open_clip-vit: gradients of every parameter',
    'open_clip-rn: gradients of every parameter',
    'open_clip-rn: running means and variances after a step',
    'siglip-hf: gradients of every parameter',
    'open_clip-clipa: loss',
    'losses: sigmoid loss of 12 pairs',
    'zeroshot: the five best classes, in their order',
  ]) {
    expect(claims).toContain(claim);
  }
});

test.skipIf(sharedFixtures === undefined)('byte for byte the files of the whole set', () => {
  const different = files
    .filter((file) => file.includes('/') && !file.startsWith('efficientnet-lite/'))
    .filter((file) => !readFileSync(committedFixtures + file).equals(readFileSync(sharedFixtures + file)));
  expect(different).toEqual([]);
});
