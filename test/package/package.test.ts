/** The package as a user gets it: packed, installed into an empty folder, imported, compiled against and run. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';

const root = fileURLToPath(new URL('../../', import.meta.url));
const photograph = join(root, 'examples/photographs/sunset.jpg');
const manifest: { version: string; exports: Record<string, unknown> } = JSON.parse(
  readFileSync(join(root, 'package.json'), 'utf8'),
);

const folder = mkdtempSync(join(tmpdir(), 'eidos-package-'));
const project = join(folder, 'project');
let packed: { filename: string; size: number; files: { path: string; size: number }[] };

/** Runs a program in the user's project and returns what it printed; its failure is the test's. */
function run(program: string, parameters: string[], cwd = project): string {
  // What npm tells this run about the clone must not leak into the user's project.
  const own = Object.entries(process.env).filter(
    ([name]) => !/^(npm_(package|lifecycle|config_local)|INIT_CWD)/.test(name),
  );
  const env = { ...Object.fromEntries(own), ONNXRUNTIME_NODE_INSTALL: 'skip' };
  const { status, stdout, stderr, error } = spawnSync(program, parameters, {
    cwd,
    env,
    encoding: 'utf8',
    maxBuffer: 1 << 26,
    shell: process.platform === 'win32',
  });
  if (status !== 0) {
    throw new Error(
      `${program} ${parameters.join(' ')}: exit status ${status}\n${error ?? ''}${stdout}${stderr}`,
    );
  }
  return stdout;
}

beforeAll(() => {
  mkdirSync(project);
  writeFileSync(join(project, 'package.json'), '{ "name": "project", "private": true, "type": "module" }\n');
  [packed] = JSON.parse(run('npm', ['pack', '--json', '--pack-destination', folder], root));
  run('npm', ['install', '--ignore-scripts=false', '--no-fund', '--no-audit', join(folder, packed.filename)]);
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

test('holds what a user needs and nothing else', () => {
  const paths = packed.files.map(({ path }) => path);
  expect(paths).toEqual(
    expect.arrayContaining(['package.json', 'LICENSE', 'CHANGELOG.md', 'NOTICE', 'README.md']),
  );
  expect(paths).toEqual(expect.arrayContaining(['dist/index.js', 'dist/index.d.ts', 'dist/cli/main.js']));
  // The page is in the package where it was built before: .ci/run does, and prepack.
  if (existsSync(join(root, 'web/dist'))) expect(paths).toContain('web/dist/index.html');
  const expected = /^(dist\/|models\/|web\/dist\/|(package\.json|LICENSE|README\.md|CHANGELOG\.md|NOTICE)$)/;
  expect(paths.filter((path) => !expected.test(path))).toEqual([]);
  console.log(`Packed: ${paths.length} files, ${(packed.size / 1e6).toFixed(1)} MB.`);
});

test('every subpath of exports can be imported', () => {
  const subpaths = Object.keys(manifest.exports).filter((subpath) => !subpath.endsWith('.json'));
  for (const subpath of subpaths) {
    const name = subpath.replace(/^\./, 'eidos');
    const script = `console.log(Object.keys(await import('${name}')).join(' '))`;
    expect(run(process.execPath, ['--input-type=module', '--eval', script]).trim()).not.toBe('');
  }
});

test('its types resolve for a strict user under nodenext', () => {
  const source = `import { loadClip } from 'eidos';
const clip = await loadClip();
const size: number = clip.embeddingSize;
// @ts-expect-error: the types are there, so a wrong one is found
const wrong: string = clip.embeddingSize;
console.log(size, wrong);
`;
  writeFileSync(join(project, 'user.ts'), source);
  const compiler = join(root, 'node_modules/@typescript/native/bin/tsc');
  const types = ['--typeRoots', join(root, 'node_modules/@types'), '--types', 'node'];
  const options = ['--noEmit', '--strict', '--exactOptionalPropertyTypes', '--target', 'es2022'];
  const report = spawnSync(
    process.execPath,
    [compiler, ...options, '--module', 'nodenext', '--pretty', 'false', ...types, 'user.ts'],
    { cwd: project, encoding: 'utf8' },
  );
  // Declarations of other packages may have faults of their own; eidos' must have none.
  const faults = report.stdout
    .split('\n')
    .filter((line) => /^(user\.ts|node_modules\/eidos\/|error )/.test(line));
  expect(faults).toEqual([]);
});

test('npx eidos --help', () => {
  expect(run('npx', ['--no-install', 'eidos', '--help'])).toContain('classify');
});

test('npx eidos --version', () => {
  expect(run('npx', ['--no-install', 'eidos', '--version']).trim()).toBe(manifest.version);
});

test('classifies a photograph with the bundled model', () => {
  const labels = ['a cat', 'a sunset', 'sheep'];
  const command = ['--no-install', 'eidos', 'classify', photograph, '--labels', labels.join(','), '--json'];
  const answer = JSON.parse(run('npx', command));
  const results: { label: string; probability: number }[] = answer.results;
  expect(results.map(({ label }) => label).sort()).toEqual(labels);
  expect(results.reduce((sum, { probability }) => sum + probability, 0)).toBeCloseTo(1, 3);
  expect(results[0]?.label).toBe('a sunset');
});
