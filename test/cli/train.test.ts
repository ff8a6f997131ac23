import { spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { listCheckpoints, readCheckpoint } from '../../src/train/run/checkpoints.ts';
import { commandLine, printedLines, runEidos } from '../command.ts';
import { writeTinyModel } from '../tiny-model.ts';
import { colourNames, tinyTraining, writeColourFolders } from '../train/run/tiny-training.ts';

// Seconds each where a processor is free; other work beside it must not make them fail.
vi.setConfig({ testTimeout: 300_000 });

let folder: string;
let model: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'eidos-train-cli-'));
  model = await writeTinyModel();
  await writeColourFolders(join(folder, 'photos'));
  await writeCaptionedPictures();
});
afterAll(async () => {
  await rm(folder, { recursive: true });
  await rm(model, { recursive: true });
});

const eidos = (...args: string[]) => runEidos(folder, args);

/** The squares in one folder: with a caption in a text file beside each, and with all captions in `captions.csv`. */
async function writeCaptionedPictures(): Promise<void> {
  const rows = ['file,caption'];
  for (const place of ['captioned', 'listed']) await mkdir(join(folder, place));
  for (const colour of colourNames) {
    for (let i = 0; i < 6; i++) {
      const picture = join(folder, 'photos', colour, `${i}.png`);
      await copyFile(picture, join(folder, 'captioned', `${colour}-${i}.png`));
      await copyFile(picture, join(folder, 'listed', `${colour}-${i}.png`));
      const caption = i % 2 === 0 ? `a ${colour} square` : `here is a square that is ${colour}`;
      await writeFile(join(folder, 'captioned', `${colour}-${i}.txt`), `${caption}\n`);
      rows.push(`${colour}-${i}.png,${caption}`);
    }
  }
  await writeFile(join(folder, 'listed/captions.csv'), `${rows.join('\n')}\n`);
}

/** Starts a training and calls `during` with each line that it prints. */
function start(
  args: readonly string[],
  during: (line: Record<string, unknown>, kill: (signal: NodeJS.Signals) => void) => void,
) {
  const child = spawn(process.execPath, [commandLine, 'train', ...args, '--json'], {
    cwd: folder,
    env: { ...process.env, XDG_CACHE_HOME: join(folder, 'cache'), HF_HUB_OFFLINE: '1' },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let rest = '';
  child.stdout.setEncoding('utf8').on('data', (piece: string) => {
    const lines = (rest + piece).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines)
      during(JSON.parse(line) as Record<string, unknown>, (signal) => child.kill(signal));
  });
  return new Promise<{ status: number | null; signal: NodeJS.Signals | null }>((resolve) => {
    child.on('close', (status, signal) => resolve({ status, signal }));
  });
}

async function writeTraining(
  name: string,
  changes: Parameters<typeof tinyTraining>[2] = {},
): Promise<string> {
  const path = join(folder, `${name}.json`);
  await writeFile(path, JSON.stringify(tinyTraining('photos', name, changes)));
  return path;
}

describe.skipIf(!existsSync(commandLine))('eidos train', () => {
  test('--help tells the short way, what is written and the exit statuses', () => {
    const { status, stdout } = eidos('train', '--help');
    expect(status).toBe(0);
    for (const words of ['--folder', '--out', '--init', '--resume', 'metrics.jsonl', '130 and 143']) {
      expect(stdout).toContain(words);
    }
  });

  test('makes a folder of pictures a model that classify loads', () => {
    const args = ['--folder', 'photos', '--out', 'mine', '--model', model, '--steps', '30'];
    const { status, stdout, stderr } = eidos('train', ...args);
    expect(stderr).toContain('24 pictures from photos (24); 4 classes');
    expect(stderr).toMatch(/step 30 {2}loss \d\.\d{3} {2}temperature .* pictures\/s .* waiting .* left/);
    // The configuration in full, defaults included.
    expect(stderr).toContain('"gramsPerKilowattHour": 480');
    expect(status).toBe(0);
    expect(stdout).toMatch(
      /Trained 30 steps in .*\nModel: .*mine\nReport: .*report\.html\nEnergy: .* kWh, .* g CO₂e/,
    );
    const answer = eidos('classify', 'photos/red/0.png', '--labels', 'red,blue', '--model', 'mine', '--json');
    expect(answer.status, answer.stderr).toBe(0);
    expect(printedLines(answer.stdout)[0]).toMatchObject({ image: 'photos/red/0.png', model: 'mine' });
  });

  test.each([
    ['in text files beside them', 'captioned'],
    ['in a table', 'listed/captions.csv'],
  ])('makes pictures with captions %s a model by which classify tells them apart', async (_, source) => {
    const output = `from ${source.replace('/', ' ')}`;
    const config = await writeTraining(output, {
      data: { sources: [{ path: source }] },
      until: { steps: 60 },
      regularisation: {},
    });
    const trained = eidos('train', config, '--json');
    expect(trained.status, trained.stderr).toBe(0);

    const pictures = colourNames.map((colour) => `photos/${colour}/3.png`);
    const asked = [
      '--labels',
      colourNames.join(','),
      '--template',
      'a {} square',
      '--model',
      output,
      '--json',
    ];
    const { status, stdout, stderr } = eidos('classify', ...pictures, ...asked);
    expect(status, stderr).toBe(0);
    const answers = printedLines(stdout) as { results: { label: string }[] }[];
    expect(answers.map(({ results }) => results[0]?.label)).toEqual(colourNames);
  });

  test('--init writes the configuration of that to a file, which trains', async () => {
    const { status } = eidos(
      'train',
      '--folder',
      'photos',
      '--out',
      'later',
      '--init',
      'init.json',
      '--steps',
      '1',
      '--model',
      model,
    );
    expect(status).toBe(0);
    const written = JSON.parse(await readFile(join(folder, 'init.json'), 'utf8'));
    expect(written).toMatchObject({
      output: 'later',
      data: { sources: [{ path: 'photos' }] },
      until: { steps: 1 },
    });
    const { status: trained, stdout } = eidos('train', 'init.json', '--json');
    expect(trained, stdout).toBe(0);
    const lines = printedLines(stdout);
    // More than the folder has.
    const kinds = ['config', 'warning', 'begun', 'step', 'checkpoint', 'result'];
    expect(lines.map(({ kind }) => kind)).toEqual(kinds);
    expect(lines[1]).toMatchObject({
      message: expect.stringContaining('"batch" is 32, but the data have 24'),
    });
    expect(lines.at(-1)).toMatchObject({ ended: 'done', step: 1, model: join(folder, 'later') });
    const again = eidos('train', '--folder', 'photos', '--out', 'later', '--init', 'init.json');
    expect([again.status, again.stderr]).toEqual([2, expect.stringContaining('such a file already')]);
  });

  test.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)('%s lets the step end and saves: exit status %i', async (name, status) => {
    const config = await writeTraining(name, { until: { steps: 100_000 } });
    let last = 0;
    const ended = await start([config], (line, kill) => {
      if (line.kind === 'step' && line.step === 3) kill(name);
      if (line.kind === 'result') last = Number(line.step);
    });
    expect(ended).toEqual({ status, signal: null });
    expect(last).toBeGreaterThanOrEqual(3);
    const [checkpoint] = (await listCheckpoints(join(folder, name, 'training/checkpoints'))).slice(-1);
    expect(checkpoint?.step).toBe(last);
    expect(eidos('classify', 'photos/red/0.png', '--labels', 'a,b', '--model', name).status).toBe(0);
  });

  test('killed at any moment, leaves whole checkpoints, and goes on from them', async () => {
    // Something is being written nearly all the time.
    const config = await writeTraining('killed', {
      until: { steps: 100_000 },
      checkpoints: { everySteps: 1 },
    });
    const place = join(folder, 'killed/training/checkpoints');
    let reached = 0;
    for (let round = 0; round < 4; round++) {
      const wanted = 2 + Math.floor(4 * Math.random());
      let saved = 0;
      const ended = await start([config, '--resume'], (line, kill) => {
        if (line.kind !== 'checkpoint' || ++saved !== wanted) return;
        setTimeout(() => kill('SIGKILL'), 40 * Math.random());
      });
      expect(ended.signal).toBe('SIGKILL');
      // What it held is still there, and the next round goes on all the same.
      expect(existsSync(join(folder, 'killed/training/.lock'))).toBe(true);
      const checkpoints = await listCheckpoints(place);
      expect(checkpoints.length).toBeGreaterThan(0);
      for (const { step, path } of checkpoints) {
        const { progress, state } = await readCheckpoint(path);
        expect(progress.step).toBe(step);
        expect(state.get('logit_scale')?.data[0]).toBeGreaterThan(0);
      }
      const newest = checkpoints.at(-1)!.step;
      expect(newest).toBeGreaterThanOrEqual(reached + wanted);
      reached = newest;
    }
    expect(eidos('inspect', 'killed').status).toBe(0);
  });

  test('a second training into the same folder is refused at once, with or without --resume', async () => {
    const config = await writeTraining('shared', { until: { steps: 100_000 } });
    const refused: ReturnType<typeof eidos>[] = [];
    await start([config], (line, kill) => {
      if (line.kind !== 'begun') return;
      refused.push(eidos('train', config, '--quiet'), eidos('train', config, '--resume', '--quiet'));
      kill('SIGTERM');
    });
    expect(refused).toHaveLength(2);
    for (const { status, stderr } of refused) {
      expect(stderr).toMatch(
        /^eidos: Another training \(process \d+\) is writing into .*shared: .*--resume.*"output"/,
      );
      expect(stderr).not.toMatch(/\n\s+at /);
      expect(status).toBe(2);
    }
    expect(existsSync(join(folder, 'shared/training/.lock'))).toBe(false);
  });

  // A shell's limit on the size of files fails a write in its middle, as a full disk does.
  test.skipIf(process.platform === 'win32')('on a full disk says so and keeps what there is', async () => {
    const config = await writeTraining('full', { until: { steps: 3 }, checkpoints: { everySteps: 1 } });
    const command = 'ulimit -f 20; exec "$0" "$@"';
    const { status, stderr } = spawnSync(
      '/bin/sh',
      ['-c', command, process.execPath, commandLine, 'train', config, '--quiet'],
      { cwd: folder, encoding: 'utf8' },
    );
    expect(stderr).toMatch(/step-00000001\.safetensors cannot be written \(EFBIG\)\. .*--resume/);
    expect(stderr).not.toMatch(/\n\s+at /);
    expect(status).toBe(2);
    // With room again it goes on.
    expect(eidos('train', config, '--resume', '--quiet').status).toBe(0);
  });

  test('wrong usage and configurations are refused in one line that names the fault', async () => {
    const faulty = await writeTraining('faulty', { optimizer: { learningrate: 3 } } as never);
    for (const [message, ...args] of [
      ['--folder'],
      ['--out', '--folder', 'photos'],
      ['--steps', 'init.json', '--steps', '3'],
      ['none.json', 'none.json'],
      ['did you mean "learningRate"?', faulty],
      ['--minutes', '--folder', 'photos', '--out', 'x', '--minutes', 'soon'],
      ['exclude each other', '--folder', 'photos', '--out', 'x', '--steps', '3', '--minutes', '1'],
      ['--folder photos', 'photos'],
      ['--resum', '--resum'],
      ['nowhere', '--folder', 'nowhere', '--out', 'x', '--quiet'],
    ] as [string, ...string[]][]) {
      const { status, stderr } = eidos('train', ...args);
      expect(stderr, args.join(' ')).toContain(message);
      expect(stderr, args.join(' ')).not.toMatch(/\n\s+at /);
      expect(status, args.join(' ')).toBe(2);
    }
  });
});
