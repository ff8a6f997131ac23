/** What AGENTS.md asks of every source file, as far as a script can see it. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const source = fileURLToPath(new URL('../src/', import.meta.url));
const files = readdirSync(source, { recursive: true, encoding: 'utf8' })
  .filter((path) => /\.[jt]s$/.test(path))
  .map((path) => ({ path, text: readFileSync(join(source, path), 'utf8') }));

test('begins with a sentence that says what it is for', () => {
  const header = /^(#!.*\n)?\/\*\*\s+(\* )?\S/;
  expect(files.filter(({ text }) => !header.test(text)).map(({ path }) => path)).toEqual([]);
});

test('leaves no work for later in a comment', () => {
  const later = /\b(TODO|FIXME|XXX|HACK)\b/;
  expect(files.filter(({ text }) => later.test(text)).map(({ path }) => path)).toEqual([]);
});

test('switches no check of the compiler off', () => {
  const off = /@ts-(ignore|nocheck)/;
  expect(files.filter(({ text }) => off.test(text)).map(({ path }) => path)).toEqual([]);
});
