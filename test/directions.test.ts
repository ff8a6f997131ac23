/** The rules on imports between rooms (.dependency-cruiser.mjs) refuse what they are there to refuse. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const root = fileURLToPath(new URL('../', import.meta.url));

interface Report {
  summary: { violations: { from: string; to: string; rule: { name: string } }[] };
}

/** The names of the rules that a house of these files breaks. */
function broken(files: Record<string, string>): string[] {
  const house = mkdtempSync(join(tmpdir(), 'eidos-house-'));
  try {
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(dirname(join(house, path)), { recursive: true });
      writeFileSync(join(house, path), text);
    }
    const { stdout, stderr } = spawnSync(
      process.execPath,
      [
        join(root, 'node_modules/dependency-cruiser/bin/dependency-cruise.mjs'),
        ...['--config', join(root, '.dependency-cruiser.mjs'), '--output-type', 'json', 'src'],
      ],
      { cwd: house, encoding: 'utf8' },
    );
    if (stdout === '') throw new Error(stderr);
    const report: Report = JSON.parse(stdout);
    return [...new Set(report.summary.violations.map(({ rule }) => rule.name))].sort();
  } finally {
    rmSync(house, { recursive: true });
  }
}

const tensor = 'export interface Tensor { shape: number[] }\nexport const rank = 2;\n';

test('a sound house breaks no rule', () => {
  const files = {
    'src/errors.ts': 'export class EidosError extends Error {}\n',
    'src/graph/tensor.ts': `import { EidosError } from '../errors.ts';\nexport const failure = EidosError;\n${tensor}`,
    'src/models/vit.ts': "export { rank } from '../graph/tensor.ts';\n",
    'src/engine/session.ts': "import { rank } from '../models/vit.ts';\nexport const session = rank;\n",
    'src/image/decode.ts':
      "import type { Tensor } from '../graph/tensor.ts';\nexport type Pixels = Tensor;\n",
    'src/clip/load.ts': "export { session } from '../engine/session.ts';\n",
    'src/tasks/classify.ts': "export { session } from '../clip/load.ts';\n",
    'src/cli/main.ts': "export { session } from '../tasks/classify.ts';\n",
  };
  expect(broken(files)).toEqual([]);
});

test('each room stands only on the rooms below it', () => {
  const files = {
    'src/graph/value.ts': "import { session } from '../engine/session.ts';\nexport const value = session;\n",
    'src/engine/session.ts': "import { load } from '../clip/load.ts';\nexport const session = load;\n",
    'src/clip/load.ts': "import { classify } from '../tasks/classify.ts';\nexport const load = classify;\n",
    'src/tasks/classify.ts':
      "import type { Argument } from '../cli/main.ts';\nexport const classify: Argument = 1;\n",
    'src/cli/main.ts': 'export type Argument = number;\n',
  };
  expect(broken(files)).toEqual(['clip-direction', 'engine-direction', 'graph-direction', 'tasks-direction']);
});

test('a dynamic import counts', () => {
  const files = {
    'src/models/vit.ts': "export const later = () => import('../engine/session.ts');\n",
    'src/engine/session.ts': 'export const session = 1;\n',
  };
  expect(broken(files)).toEqual(['models-direction']);
});

test('types may be mutual, values not', () => {
  const files = (kind: string) => ({
    'src/graph/value.ts': `import ${kind} { Operator } from './operator.ts';\nexport class Value { by?: Operator }\n`,
    'src/graph/operator.ts':
      "import { Value } from './value.ts';\nexport class Operator { of = new Value() }\n",
  });
  expect(broken(files('type'))).toEqual([]);
  expect(broken(files(''))).toEqual(['no-cycles']);
});

test('image takes types of graph, not values', () => {
  const files = {
    'src/graph/tensor.ts': tensor,
    'src/text/pad.ts': "import { rank } from '../graph/tensor.ts';\nexport const pad = rank;\n",
    'src/graph/shapes.ts': 'export const rank = 2;\n',
    'src/image/decode.ts': "import { rank } from '../graph/shapes.ts';\nexport const channels = rank + 1;\n",
  };
  expect(broken(files)).toEqual(['plain-types-only']);
});

test('leaves, cycles, lumber rooms, unknown rooms, files and packages out of place', () => {
  const files = {
    'src/tasks/search.ts':
      "import { classify } from './classify/classify.ts';\nexport const search = classify;\n",
    'src/tasks/classify/classify.ts': "export { classify } from './scores.ts';\n",
    'src/tasks/classify/scores.ts': 'export const classify = 1;\n',
    'src/text/merge.ts': "import { split } from './split.ts';\nexport const merge = split;\n",
    'src/text/split.ts': "import { merge } from './merge.ts';\nexport const split = () => merge;\n",
    'src/clip/load.ts': "import { pad } from './utils/pad.ts';\nexport const load = pad;\n",
    'src/clip/utils/pad.ts': 'export const pad = 1;\n',
    'src/attic/box.ts': "import { a } from '../graph/value.ts';\nexport const box = a;\n",
    'src/graph/value.ts': "import { readFileSync } from 'node:fs';\nexport const a = readFileSync;\n",
    'src/image/read.ts': "export { gone } from './gone.ts';\n",
  };
  expect(broken(files)).toEqual([
    'known-rooms',
    'leaves-apart',
    'no-cycles',
    'no-lumber-room',
    'pure-rooms',
    'resolvable',
  ]);
});
