/** `npm run parity`: measures every claim and writes docs/parity.md. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, test } from 'vitest';
import { closeParityEngine } from './engine.ts';
import { findFixture } from './fixture-files.ts';
import { type Measured, parityReport, verdictOf } from './report.ts';
import { parityChecks } from './table.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));

afterAll(closeParityEngine);

test('docs/parity.md', { timeout: 300_000 }, async () => {
  const missing = parityChecks
    .flatMap(({ needs }) => needs)
    .filter((path) => findFixture(path) === undefined);
  if (missing.length > 0) {
    throw new Error(
      `docs/parity.md is written where the whole set of fixtures lies beside the clone (../shared/fixtures); ${missing.length} are missing, ${missing[0]} among them. \`npm test\` checks what can be checked here.`,
    );
  }
  const measured: Measured[] = [];
  for (const check of parityChecks) measured.push({ check, difference: await check.difference() });
  mkdirSync(`${root}docs`, { recursive: true });
  writeFileSync(`${root}docs/parity.md`, parityReport(measured, machine()));
  const exceeded = measured.filter((one) => verdictOf(one) === 'exceeded');
  expect(exceeded.map(({ check }) => `${check.folder}: ${check.what}`)).toEqual([]);
});

function machine(): string {
  const { version } = JSON.parse(
    readFileSync(`${root}node_modules/onnxruntime-node/package.json`, 'utf8'),
  ) as { version: string };
  return `${cpus()[0]?.model ?? process.arch} with onnxruntime-node ${version} on one thread, Node ${process.versions.node}`;
}
