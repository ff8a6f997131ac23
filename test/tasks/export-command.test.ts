/** `eidos export` as a user types it. */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { writeTinyModel } from '../tiny-model.ts';

const main = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));
let model: string;
let work: string;
beforeAll(async () => {
  model = await writeTinyModel();
  work = await mkdtemp(join(tmpdir(), 'eidos-export-command-'));
});
afterAll(async () => {
  for (const folder of [model, work]) await rm(folder, { recursive: true, force: true });
});

function exporting(...parameters: string[]): { status: number | null; stdout: string; stderr: string } {
  const env = { ...process.env, HF_HUB_OFFLINE: '1', HF_HOME: join(work, 'hub') };
  return spawnSync(process.execPath, [main, 'export', ...parameters], { cwd: work, encoding: 'utf8', env });
}

describe.skipIf(!existsSync(main))('eidos export', () => {
  test('writes the folder and lists what is in it', async () => {
    const { status, stdout, stderr } = exporting(model, '--onnx', 'out', '--json');
    expect(stderr).toBe('');
    expect(status).toBe(0);
    const result = JSON.parse(stdout) as {
      model: string;
      folder: string;
      files: { name: string; bytes: number }[];
    };
    expect(result).toMatchObject({ model, folder: 'out', tokens: 'any' });
    for (const name of [
      'onnx/vision_model.onnx',
      'onnx/text_model.onnx',
      'onnx/model.onnx',
      'tokenizer.json',
    ]) {
      expect(result.files.find((file) => file.name === name)?.bytes).toBeGreaterThan(1000);
    }
    expect((await readdir(join(work, 'out'))).sort()).toEqual([
      'config.json',
      'onnx',
      'preprocessor_config.json',
      'special_tokens_map.json',
      'tokenizer.json',
      'tokenizer_config.json',
    ]);
  });

  test('for people: a table; quiet: nothing', () => {
    const { stdout } = exporting(model, '--onnx', 'table', '--dtype', 'int8');
    expect(stdout).toMatch(/→ table\n/);
    expect(stdout).toMatch(/onnx\/vision_model_int8\.onnx +\d+\.\d [kM]B\n/);
    expect(exporting(model, '--onnx', 'table', '--force', '--quiet')).toMatchObject({
      status: 0,
      stdout: '',
    });
  });

  test('refuses a folder in use, an unknown option and a model that is not there', () => {
    expect(exporting(model, '--onnx', model)).toMatchObject({
      status: 2,
      stderr: expect.stringContaining('not empty'),
    });
    expect(exporting(model, '--onnx', 'x', '--sharpen')).toMatchObject({
      status: 2,
      stderr: expect.stringContaining("unknown option '--sharpen'"),
    });
    expect(exporting(model)).toMatchObject({ status: 2, stderr: expect.stringContaining('--onnx') });
    const missing = exporting('./nowhere', '--onnx', 'x', '--json');
    expect(missing.status).toBe(2);
    expect(JSON.parse(missing.stdout)).toMatchObject({ error: { code: 'not_found' } });
  });
});
