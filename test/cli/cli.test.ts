import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import {
  chmod,
  copyFile,
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openWeights } from '../../src/checkpoint/index.ts';
import { commandLine, printedLines, runEidos } from '../command.ts';
import { writeTinyModel } from '../tiny-model.ts';

let model: string;
let folder: string;

beforeAll(async () => {
  model = await writeTinyModel();
  folder = await mkdtemp(join(tmpdir(), 'eidos-cli-'));
  for (const [name, background] of [
    ['one.png', 'red'],
    ['two.png', 'navy'],
  ] as const) {
    await sharp({ create: { width: 48, height: 40, channels: 3, background } })
      .png()
      .toFile(join(folder, name));
  }
  await writeFile(join(folder, 'broken.jpg'), 'this is no picture');
});
afterAll(async () => {
  await rm(model, { recursive: true });
  await rm(folder, { recursive: true });
});

const eidos = (...args: string[]) => runEidos(folder, [...args]);

describe.skipIf(!existsSync(commandLine))('eidos', () => {
  test('--help names every command, --version the package’s version', async () => {
    const { status, stdout } = eidos('--help');
    expect(status).toBe(0);
    for (const command of ['classify', 'embed', 'inspect', 'models', 'export', 'verify']) {
      expect(stdout).toMatch(new RegExp(`^  ${command} `, 'm'));
      expect(eidos(command, '--help').status, command).toBe(0);
    }
    const { version } = JSON.parse(
      await readFile(new URL('../../package.json', import.meta.url), 'utf8'),
    ) as {
      version: string;
    };
    expect(eidos('--version').stdout.trim()).toBe(version);
  });

  test.each([
    ['classify', ['one.png', '--labels', 'a dog,a cat']],
    ['embed', ['one.png']],
    ['keywords', ['one.png']],
  ])('%s refuses a picture of more than --max-pixels, and says so', (command, args) => {
    const refused = eidos(command, ...args, '--model', model, '--max-pixels', '1000');
    expect(refused.status).toBe(1);
    expect(refused.stderr).toContain('more than 1000 pixels: raise --max-pixels');
    expect(eidos(command, ...args, '--model', model, '--max-pixels', '1920').status).toBe(0);
    const wrong = eidos(command, ...args, '--model', model, '--max-pixels', 'many');
    expect(wrong.status).toBe(2);
  });

  test('classify answers a line a picture, and the broken one with its error', () => {
    const args = [
      'classify',
      '.',
      'missing.jpg',
      '--labels',
      'a dog, a cat ,the red square',
      '--model',
      model,
      '--json',
    ];
    const { status, stdout } = eidos(...args);
    expect(status).toBe(1);
    const answers = printedLines(stdout);
    expect(answers.map(({ image }) => image)).toEqual(['missing.jpg', 'broken.jpg', 'one.png', 'two.png']);
    expect(answers[0]).toMatchObject({ error: { code: 'not_found' } });
    expect(answers[1]).toMatchObject({ error: { code: 'invalid_image' } });
    for (const answer of answers.slice(2)) {
      expect(Object.keys(answer)).toEqual(['image', 'model', 'results']);
      const results = answer.results as { label: string; probability: number; similarity: number }[];
      expect(results.map(({ label }) => label).sort()).toEqual(['a cat', 'a dog', 'the red square']);
      expect(Object.keys(results[0]!)).toEqual(['label', 'probability', 'similarity']);
      expect(results.reduce((sum, { probability }) => sum + probability, 0)).toBeCloseTo(1, 5);
    }
  });

  test('classify shows bars to people, with labels from a file and templates', async () => {
    await writeFile(join(folder, 'labels.txt'), 'dog\ncat\n\n');
    const { status, stdout, stderr } = eidos(
      'classify',
      'one.png',
      '--labels-file',
      'labels.txt',
      '--templates',
      'cifar',
      '--model',
      model,
    );
    expect(stderr).toBe('');
    expect(status).toBe(0);
    expect(stdout).toMatch(/^one\.png\n {2}(dog|cat) {2}[█▏▎▍▌▋▊▉·]{24} +\d+\.\d %\n/);
  });

  test('wrong usage is one line with the way out, and exit status 2', () => {
    for (const [args, message] of [
      [['classify', 'one.png', '--model', model], /--labels/],
      [['classify', 'one.png', '--labels', 'a,b', '--model', 'no/such/folder/'], /no\/such\/folder/],
      [['classify', 'one.png', '--labels', 'a,a', '--model', model], /twice/],
      [['classify', 'one.png', '--labels', 'a', '--template', 'x', '--model', model], /\{\}/],
      [['classify', 'one.png', '--labels', 'a', '--top-k', 'many', '--model', model], /--top-k/],
      [['classify', 'one.png', '--labels', 'a', '--dtype', 'fp16', '--model', model], /fp16/],
      [['classify', '--labels', 'a'], /images/],
      [['classify', 'one.png', '--lables', 'a'], /--lables/],
      [['verify', '--model', model, '--device', 'cpu', '--dtype', 'fp16'], /use fp32 or int8/],
      [['embed', '--model', model], /--text/],
      [['embed', 'one.png', '--out', 'x.csv', '--model', model], /\.npy/],
      [['embed', 'one.png', '--out', 'no/such/x.npy', '--model', model], /cannot be written/],
      [['fly'], /fly/],
    ] as const) {
      const { status, stderr } = eidos(...args);
      expect(stderr, args.join(' ')).toMatch(message);
      expect(stderr, args.join(' ')).not.toMatch(/\n\s+at /);
      expect(status, args.join(' ')).toBe(2);
    }
    expect(printedLines(eidos('classify', 'one.png', '--json', '--model', model).stdout)).toMatchObject([
      { error: { code: 'invalid_option' } },
    ]);
  });

  test.skipIf(process.platform === 'win32')('whoever has seen enough may close the pipe', () => {
    const { stderr } = spawnSync(
      'sh',
      ['-c', '"$0" "$1" classify --help | head -n 1', process.execPath, commandLine],
      {
        encoding: 'utf8',
      },
    );
    expect(stderr).toBe('');
  });

  test('embed writes JSON lines, safetensors and NumPy arrays with the same numbers', async () => {
    const base = ['embed', 'one.png', 'two.png', '--text', 'a dog', '--model', model];
    const rows = printedLines(eidos(...base).stdout);
    expect(rows.map((row) => row.image ?? row.text)).toEqual(['one.png', 'two.png', 'a dog']);
    const wanted = rows.map(({ embedding }) => embedding as number[]);
    expect(Math.hypot(...wanted[0]!)).toBeCloseTo(1, 5);

    expect(eidos(...base, '--out', 'out.safetensors').status).toBe(0);
    const { tensors, metadata } = await openWeights(join(folder, 'out.safetensors'));
    expect([...tensors.values()].map(({ name, shape }) => [name, shape])).toEqual([
      ['images', [2, 32]],
      ['texts', [1, 32]],
    ]);
    expect(JSON.parse(metadata.images!)).toEqual(['one.png', 'two.png']);

    const failing = eidos('embed', 'broken.jpg', '--json', '--out', 'none.jsonl', '--model', model);
    expect(printedLines(failing.stdout)).toMatchObject([
      { image: 'broken.jpg', error: { code: 'invalid_image' } },
    ]);
    expect(failing.status).toBe(1);
    expect(failing.stderr).toContain('none.jsonl is not written');
    expect(existsSync(join(folder, 'none.jsonl'))).toBe(false);

    expect(eidos(...base, '--out', 'out.jsonl').status).toBe(0);
    expect(printedLines(await readFile(join(folder, 'out.jsonl'), 'utf8'))).toEqual(rows);

    expect(eidos(...base, '--out', 'out.npy').status).toBe(0);
    const npy = await readFile(join(folder, 'out.npy'));
    const start = 10 + npy.readUInt16LE(8);
    expect(start % 64).toBe(0);
    expect(npy.subarray(10, start).toString()).toMatch(
      /'descr': '<f4', 'fortran_order': False, 'shape': \(3, 32\)/,
    );
    const numbers = new Float32Array(npy.buffer.slice(npy.byteOffset + start, npy.byteOffset + npy.length));
    expect([...numbers.subarray(0, 32)].map((x) => x.toFixed(5))).toEqual(
      wanted[0]!.map((x) => x.toFixed(5)),
    );
  });

  // Who may do everything can read every folder.
  test.skipIf(process.platform === 'win32' || process.getuid?.() === 0)(
    'folders inside that are locked are failures, and the others are answered',
    async () => {
      const locked = join(folder, 'album/locked');
      await mkdir(locked, { recursive: true });
      await copyFile(join(folder, 'one.png'), join(folder, 'album/one.png'));
      await chmod(locked, 0);
      for (const [command, ...args] of [['classify', '--labels', 'a,b'], ['embed'], ['keywords']]) {
        const { status, stdout } = eidos(command!, 'album', ...args, '--model', model, '--json');
        expect(printedLines(stdout)).toMatchObject([
          { image: 'album/locked', error: { code: 'not_found' } },
          { image: 'album/one.png' },
        ]);
        expect(status).toBe(1);
      }
      await chmod(locked, 0o755);
    },
  );

  // A shell's limit on the size of files fails a write in its middle, as a full disk does.
  test.skipIf(process.platform === 'win32').each(['npy', 'jsonl', 'safetensors'])(
    'embed on a full disk leaves no half of a .%s file, and what was there before',
    async (ending) => {
      const args = ['embed', 'one.png', 'two.png', '--text', 'a dog', '--model', model];
      for (let i = 0; i < 20; i++) args.push('--text', `dog ${i}`);
      const place = join(folder, 'full');
      await mkdir(place, { recursive: true });
      const out = join(place, `out.${ending}`);
      const run = () =>
        spawnSync(
          '/bin/sh',
          ['-c', 'ulimit -f 2; exec "$0" "$@"', process.execPath, commandLine, ...args, '--out', out],
          { cwd: folder, encoding: 'utf8' },
        );
      const { status, stderr } = run();
      expect(stderr).toMatch(/out\.\w+ cannot be written: EFBIG/);
      expect(status).toBe(2);
      expect(await readdir(place)).toEqual([]);
      await writeFile(out, 'before');
      expect(run().status).toBe(2);
      expect(await readFile(out, 'utf8')).toBe('before');
      await rm(place, { recursive: true });
    },
  );

  test.skipIf(process.platform === 'win32')('embed writes through a link and into a pipe', async () => {
    const args = ['embed', '--text', 'a dog', '--model', model, '--out'];
    await symlink('pointed.jsonl', join(folder, 'link.jsonl'));
    await writeFile(join(folder, 'pointed.jsonl'), 'before');
    expect(eidos(...args, 'link.jsonl').status).toBe(0);
    expect((await lstat(join(folder, 'link.jsonl'))).isSymbolicLink()).toBe(true);
    expect(printedLines(await readFile(join(folder, 'pointed.jsonl'), 'utf8'))).toMatchObject([
      { text: 'a dog' },
    ]);
    const piped = spawnSync(
      '/bin/sh',
      [
        '-c',
        'mkfifo pipe.jsonl; cat pipe.jsonl & "$0" "$@"; wait',
        process.execPath,
        commandLine,
        ...args,
        'pipe.jsonl',
      ],
      { cwd: folder, encoding: 'utf8', timeout: 50_000 },
    );
    expect(printedLines(piped.stdout)).toMatchObject([{ text: 'a dog' }]);
  });

  test('inspect tells the architecture, for people and as JSON', () => {
    expect(eidos('inspect', model).stdout).toMatch(/Vision Transformer, 2 layers, width 64/);
    const [inspection] = printedLines(eidos('inspect', model, '--json').stdout);
    expect(inspection).toMatchObject({ layout: 'hugging_face_clip', architecture: { embeddingSize: 32 } });
    expect(eidos('inspect', 'broken.jpg').status).toBe(2);
  });

  test('verify passes on this machine and fails below an impossible threshold', () => {
    const { status, stdout } = eidos('verify', '--model', model, '--device', 'cpu', '--json');
    expect(status).toBe(0);
    expect(printedLines(stdout).map(({ dtype, passed }) => [dtype, passed])).toEqual([
      ['fp32', true],
      ['int8', true],
    ]);
    expect(
      eidos('verify', '--model', model, '--device', 'cpu', '--dtype', 'int8', '--threshold', '1').status,
    ).toBe(1);
  });

  test('leaves nothing behind but its own cache: the engine’s telemetry is off', async () => {
    const home = await mkdtemp(join(tmpdir(), 'eidos-home-'));
    const { XDG_CACHE_HOME: _, ORT_DISABLE_TELEMETRY: __, ...env } = process.env;
    const run = spawnSync(
      process.execPath,
      [commandLine, 'classify', 'one.png', '--labels', 'a dog,a cat', '--model', model],
      { cwd: folder, encoding: 'utf8', env: { ...env, HOME: home, HF_HUB_OFFLINE: '1' } },
    );
    expect(run.status).toBe(0);
    expect(await readdir(home)).toEqual(['.cache']);
    expect(await readdir(join(home, '.cache'))).toEqual(['eidos']);
    await rm(home, { recursive: true });
  });

  test('wrong usage with --json is a line of JSON, and threads have a limit', () => {
    const usage = eidos('classify', '--json');
    expect(usage.status).toBe(2);
    expect(printedLines(usage.stdout)).toMatchObject([{ error: { code: 'invalid_option' } }]);
    const { status, stderr } = eidos(
      'classify',
      'one.png',
      '--labels',
      'a,b',
      '--threads',
      '99999',
      '--model',
      model,
    );
    expect(stderr).toMatch(/from 1 to 1024/);
    expect(status).toBe(2);
  });

  test('models lists what --model can name', () => {
    const models = printedLines(eidos('models', '--json').stdout);
    expect(models.map(({ model: name }) => name)).toContain('openai/clip-vit-base-patch32');
  });
});
