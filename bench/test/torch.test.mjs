/** The programs that eidos writes run in PyTorch as they do in onnxruntime: the same losses, step by step. */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { after, before, describe, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { initialisers, lowering, stepConfigs, steps, training } from '../src/eidos.mjs';
import { findTorch } from '../src/torch.mjs';
import { inputsOfSteps, pixelCode, readDescription, writePack } from '../src/train-pack-files.mjs';
import { firstState, lossesHere } from './training.mjs';

const interpreter = fileURLToPath(new URL('../torch/', import.meta.url));
const packer = fileURLToPath(new URL('../src/train-pack.mjs', import.meta.url));
const unpacker = fileURLToPath(new URL('../src/train-unpack.mjs', import.meta.url));
const python = findTorch()?.python ?? '';
const skip = python === '' ? 'PyTorch is not installed (on Debian: apt-get install python3-torch)' : false;

/** @type {string} */
let work;
before(async () => {
  work = await mkdtemp(join(tmpdir(), 'eidos-torch-'));
});
after(() => rm(work, { recursive: true, force: true }));

/** @typedef {import('../../src/engine/engine.ts').RuntimeTensor} RuntimeTensor */

/** @type {import('../../src/models/architecture.ts').TextArchitecture} */
const textTower = {
  width: 32,
  layers: 2,
  heads: 2,
  mlpWidth: 64,
  activation: 'gelu',
  normEpsilon: 1e-5,
  contextLength: 12,
  vocabularySize: 50,
  causal: true,
  positions: 'learned',
  pool: { kind: 'end', endToken: 'highest' },
  projection: 'linear',
};

/** @type {Record<string, import('../../src/models/architecture.ts').ClipArchitecture>} */
const architectures = {
  'a Vision Transformer': {
    embeddingSize: 24,
    image: {
      kind: 'vit',
      imageSize: 32,
      patchSize: 8,
      width: 48,
      layers: 2,
      heads: 3,
      mlpWidth: 96,
      activation: 'quick_gelu',
      normEpsilon: 1e-5,
      patchBias: true,
      classToken: true,
      normBefore: true,
      normAfter: 'pooled',
      pool: { kind: 'class' },
      projection: 'linear',
    },
    text: textTower,
    probability: 'softmax',
    logitBias: false,
  },
  'a net of convolutions with batch norm': {
    embeddingSize: 24,
    image: { kind: 'resnet', imageSize: 64, width: 8, layers: [1, 1, 1, 1], heads: 4 },
    text: textTower,
    probability: 'sigmoid',
    logitBias: true,
  },
  'a ConvNeXt': {
    embeddingSize: 24,
    image: {
      kind: 'convnext',
      imageSize: 64,
      patchSize: 4,
      widths: [12, 16, 24],
      blocks: [1, 2, 1],
      kernelSize: 7,
      activation: 'gelu',
      normEpsilon: 1e-6,
    },
    text: textTower,
    probability: 'softmax',
    logitBias: false,
  },
  'a residual net that learns from a teacher': {
    embeddingSize: 24,
    image: { kind: 'basic_resnet', imageSize: 32, patchSize: 4, widths: [16, 24], blocks: [1, 1] },
    text: textTower,
    probability: 'softmax',
    logitBias: false,
  },
};
const distilled = 'a residual net that learns from a teacher';
const features = 20;

const batch = 8;
const count = 10;
const optimiser = { maxGradientNorm: 1, weightDecay: 0.1, averaging: { decay: 0.9 } };
const preprocessing = { mean: [0.48, 0.46, 0.41], deviation: [0.27, 0.26, 0.28] };

/** @param {string} command @param {string[]} rest */
function runPython(command, ...rest) {
  const { status, stdout, stderr } = spawnSync(python, [join(interpreter, command), ...rest], {
    encoding: 'utf8',
    env: { ...process.env, OMP_NUM_THREADS: '1', OPENBLAS_NUM_THREADS: '1' },
  });
  return { status, stdout, stderr };
}

/** The same beside other work. @param {string} command @param {string[]} rest */
async function startPython(command, ...rest) {
  const process_ = spawn(python, [join(interpreter, command), ...rest], {
    env: { ...process.env, OMP_NUM_THREADS: '1', OPENBLAS_NUM_THREADS: '1' },
  });
  const [stdout, stderr, [status]] = await Promise.all([
    text(process_.stdout),
    text(process_.stderr),
    once(process_, 'close'),
  ]);
  return { status, stdout, stderr };
}

/** What it printed. @param {string} command @param {string[]} rest */
function succeed(command, ...rest) {
  const { status, stdout, stderr } = runPython(command, ...rest);
  assert.equal(status, 0, stderr);
  return stdout;
}

/** A step, ten batches and what changes from step to step, packed. */
async function packed(
  /** @type {string} */ name,
  /** @type {string} */ folder,
  /** @type {{ ahead?: number, first?: number }} */ options = {},
) {
  const architecture = architectures[name];
  assert.ok(architecture);
  const { trainingStep } = await steps();
  const { optimizerSchema, lossSchema, regularisationSchema } = await stepConfigs();
  const { lower } = await lowering();
  const teacher = name === distilled;
  const step = trainingStep(architecture, {
    batch,
    targets: true,
    optimizer: optimizerSchema.parse(optimiser),
    ...(teacher ? { features, loss: lossSchema.parse({ features: { weight: 2 }, similarities: {} }) } : {}),
    ...(teacher ? { freeze: ['text'] } : {}),
    ...(architecture.image.kind === 'vit'
      ? { regularisation: regularisationSchema.parse({ patchDropout: 0.3, stochasticDepth: { image: 0.2 } }) }
      : {}),
  });
  const program = lower(step.results);
  const state = await firstState(step);
  const { numbers, others } = inputsOfSteps(count, (i) =>
    step.inputs({ step: i, learningRate: 2e-3 * Math.min(1, i / 4), seed: 1 }),
  );
  const made = await madeUpBatches(architecture, teacher);
  const batches = made.map((own, i) => ({ ...own, ...others(i) }));
  await writePack({
    folder,
    program: program.model,
    state,
    feedback: step.feedback,
    reports: ['loss', 'gradient_norm'],
    numbers,
    count,
    async *batches() {
      yield* batches.slice(options.first ?? 0);
    },
    bytes: { pixels: pixelCode(preprocessing) },
    pieceBytes: 100_000,
    ...options,
  });
  return { step, program, state, batches, numbers };
}

/** Noise and made-up sentences, some of which belong to two pictures. */
async function madeUpBatches(
  /** @type {import('../../src/models/architecture.ts').ClipArchitecture} */ architecture,
  /** @type {boolean} */ teacher,
) {
  const { randomNumbers } = await initialisers();
  const random = randomNumbers(5);
  const side = Number(architecture.image.imageSize);
  const { contextLength, vocabularySize } = architecture.text;
  const { scale, offset } = pixelCode(preprocessing);
  return Array.from({ length: count }, () => {
    const pixels = Float32Array.from({ length: batch * 3 * side * side }, (_, i) => {
      const channel = Math.floor(i / (side * side)) % 3;
      return Math.floor(random() * 256) * (scale[channel] ?? 0) + (offset[channel] ?? 0);
    });
    const tokens = BigInt64Array.from({ length: batch * contextLength }, () =>
      BigInt(Math.floor(random() * vocabularySize)),
    );
    const targets = new Float32Array(batch * batch);
    for (let row = 0; row < batch; row++) {
      const pair = row < 2 ? [0, 1] : [row];
      for (const column of pair) targets[row * batch + column] = 1 / pair.length;
    }
    /** @type {Record<string, RuntimeTensor>} */
    const made = {
      pixels: { type: 'float32', data: pixels, shape: [batch, 3, side, side] },
      tokens: { type: 'int64', data: tokens, shape: [batch, contextLength] },
      targets: { type: 'float32', data: targets, shape: [batch, batch] },
    };
    if (teacher) {
      const data = Float32Array.from({ length: batch * features }, () => random() - 0.5);
      made.features = { type: 'float32', data, shape: [batch, features] };
    }
    return made;
  });
}

/** @param {string} output @returns {{ step: number, loss: number, gradient_norm: number }[]} */
function lines(output) {
  return output
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
}

const [transformer = ''] = Object.keys(architectures);

describe('a training step in PyTorch', { skip }, () => {
  for (const name of Object.keys(architectures)) {
    test(`${name}: ten steps have onnxruntime's losses`, { timeout: 300_000 }, async () => {
      const folder = join(work, name.replaceAll(' ', '-'));
      const training = await packed(name, folder);
      const ours = await lossesHere(training);
      assert.ok((await readdir(folder)).filter((file) => file.startsWith('batches-')).length > 1);
      const theirs = lines(succeed('train.py', folder, '--out', join(folder, 'out.safetensors')));
      assert.equal(theirs.length, count);
      for (const [i, { loss, gradient_norm: norm }] of ours.entries()) {
        const line = theirs[i] ?? { loss: Number.NaN, gradient_norm: Number.NaN };
        assert.ok(Math.abs(line.loss / loss - 1) < 1e-4, `step ${i + 1}: ${line.loss}, not ${loss}`);
        assert.ok(
          Math.abs(line.gradient_norm / norm - 1) < 1e-3,
          `step ${i + 1}: gradients of norm ${line.gradient_norm}, not ${norm}`,
        );
      }
    });
  }

  test('a run that was cut in two is the whole one', { timeout: 300_000 }, async () => {
    const folder = join(work, 'in-two');
    await packed(transformer, folder);
    const whole = join(folder, 'whole.safetensors');
    const parts = join(folder, 'parts.safetensors');
    const once = lines(succeed('train.py', folder, '--out', whole));
    const first = lines(succeed('train.py', folder, '--out', parts, '--steps', '4'));
    const rest = lines(succeed('train.py', folder, '--out', parts));
    const losses = (/** @type {ReturnType<typeof lines>} */ all) => all.map(({ step, loss }) => [step, loss]);
    assert.deepEqual(losses([...first, ...rest]), losses(once));
    assert.deepEqual(await readFile(parts), await readFile(whole));
  });

  test('pieces that come one by one make the same steps', { timeout: 300_000 }, async () => {
    const folder = join(work, 'one-by-one');
    const { batches: files } = await packed(transformer, folder).then(() => readDescription(folder));
    const once = join(folder, 'whole.safetensors');
    const whole = lines(succeed('train.py', folder, '--out', once));
    const out = join(folder, 'parts.safetensors');
    const parts = files.map((file) =>
      lines(succeed('train.py', folder, '--out', out, '--batches', join(folder, file))),
    );
    assert.ok(parts.length > 1);
    assert.deepEqual(
      parts.flat().map(({ step, loss }) => [step, loss]),
      whole.map(({ step, loss }) => [step, loss]),
    );
    assert.deepEqual(await readFile(out), await readFile(once));
  });

  test('batches may be written while they are read, and take up no more room than is allowed', {
    timeout: 300_000,
  }, async () => {
    const whole = join(work, 'written-before');
    const { batches: files } = await packed(transformer, whole).then(() => readDescription(whole));
    const once = join(whole, 'out.safetensors');
    succeed('train.py', whole, '--out', once);
    const folder = join(work, 'written-meanwhile');
    const out = join(folder, 'out.safetensors');
    const lying = async () => (await readdir(folder)).filter((name) => files.includes(name));
    // A run that was stopped within a file goes on from batches that are packed again from there on.
    await packed(transformer, folder);
    succeed('train.py', folder, '--follow', '--steps', '5', '--out', out);
    const writing = packed(transformer, folder, { ahead: 2, first: 5 });
    const isPackedAnew = async () => (await readDescription(folder).catch(() => undefined))?.first === 5;
    while (!(await isPackedAnew())) await Promise.race([setTimeout(20), writing]);
    let most = 0;
    const watch = setInterval(async () => {
      most = Math.max(most, (await lying()).length);
    }, 10);
    const { status, stderr } = await startPython('train.py', folder, '--follow', '--out', out);
    clearInterval(watch);
    assert.equal(status, 0, stderr);
    await writing;
    assert.deepEqual(await readFile(out), await readFile(once));
    assert.ok(most <= 2, `${most} files at a time`);
    assert.deepEqual(await lying(), []);
  });

  test('batches from another step than the next one are refused', { timeout: 300_000 }, async () => {
    const folder = join(work, 'from-elsewhere');
    await packed(transformer, folder, { first: 5 });
    const { status, stderr } = runPython('train.py', folder, '--out', join(folder, 'out.safetensors'));
    assert.notEqual(status, 0);
    assert.match(stderr, /begin with number 5, but step 0 is next: pack with --first 0/);
  });

  test('products in bfloat16 give nearly the same losses, and leave the state in single precision', {
    timeout: 300_000,
  }, async () => {
    for (const [i, name] of Object.keys(architectures).entries()) {
      const folder = join(work, `bfloat16-${i}`);
      const ours = await lossesHere(await packed(name, folder));
      const { status, stdout, stderr } = spawnSync(python, ['-c', inBfloat16, folder], {
        encoding: 'utf8',
        env: { ...process.env, PYTHONPATH: interpreter },
      });
      assert.equal(status, 0, stderr);
      const { losses, types } = JSON.parse(stdout);
      assert.deepEqual(types, ['torch.float32']);
      assert.equal(losses.length, count);
      // Later the paths part, as those of any two roundings do.
      for (const [step, { loss }] of ours.slice(0, 5).entries()) {
        const [exact = Number.NaN, rounded = Number.NaN] = [loss, losses[step]];
        assert.ok(
          Math.abs(rounded / exact - 1) < 0.03,
          `${name}, step ${step + 1}: ${rounded}, not ${exact}`,
        );
        if (step === 0) assert.notEqual(rounded, exact, 'something was rounded');
      }
    }
  });

  test('a training that embeds the words of its classes now and then makes the steps of eidos train', {
    timeout: 300_000,
  }, async () => {
    const config = join(work, 'naming.json');
    const pictures = fileURLToPath(new URL('../../examples/photographs/', import.meta.url));
    const table = ['two-dogs', 'drum', 'sunset', 'dandelions', 'mountain-path', 'paint-brushes'];
    await writeFile(
      join(work, 'naming.csv'),
      ['file,label', ...table.map((name) => `${join(pictures, `${name}.jpg`)},${name}`)].join('\n'),
    );
    const count = 7;
    await writeFile(
      config,
      JSON.stringify({
        output: join(work, 'naming-model'),
        data: { sources: [{ path: 'naming.csv' }] },
        batch: 4,
        until: { steps: count },
        loss: { contrastive: {}, classification: { weight: 1, classes: 'cached', renewEverySteps: 3 } },
        // Where it is higher, a model that has learned already makes of a rounding what AdamW's first steps make of noise.
        optimizer: { learningRate: 1e-4, schedule: { kind: 'constant', warmupSteps: 2 } },
        logEverySteps: 1,
      }),
    );
    /** @type {number[]} */
    const ours = [];
    const { train } = await training();
    await train(config, {
      onEvent: (event) => {
        if (event.kind === 'step') ours.push(event.loss);
      },
    });
    const folder = join(work, 'naming-pack');
    const pack = spawnSync(process.execPath, [packer, config, folder, '--exact-pixels'], {
      encoding: 'utf8',
    });
    assert.equal(pack.status, 0, pack.stderr);
    const out = join(folder, 'out.safetensors');
    const theirs = lines(succeed('train.py', folder, '--out', out));
    assert.equal(theirs.length, count);
    for (const [i, loss] of ours.entries()) {
      const line = theirs[i]?.loss ?? Number.NaN;
      assert.ok(Math.abs(line / loss - 1) < 1e-4, `step ${i + 1}: ${line}, not ${loss}`);
    }
  });

  test('words learned beside features come back as a model', { timeout: 300_000 }, async () => {
    const pictures = fileURLToPath(new URL('../../examples/training/', import.meta.url));
    await writeFile(
      join(work, 'words.u8'),
      Uint8Array.from({ length: 64 * 4 }, (_, i) => (i * 37) % 256),
    );
    const config = join(work, 'words.json');
    await writeFile(
      config,
      JSON.stringify({
        output: join(work, 'words-model'),
        data: {
          sources: [{ path: join(pictures, 'captions.csv'), features: 'words.u8' }],
          teacher: { width: 4 },
        },
        imageTower: { kind: 'teacher', size: 4 },
        batch: 4,
        until: { steps: 2 },
      }),
    );
    const folder = join(work, 'words-pack');
    const state = join(folder, 'out.safetensors');
    const model = join(work, 'words-model');
    const run = (/** @type {string[]} */ ...command) =>
      spawnSync(process.execPath, command, { encoding: 'utf8' });
    assert.equal(run(packer, config, folder).status, 0);
    succeed('train.py', folder, '--out', state);
    const { status, stderr } = run(unpacker, folder, state, model);
    assert.equal(status, 0, stderr);
    assert.ok((await readdir(model)).includes('model.safetensors'));
  });

  test('every operator that programs may contain is known', async () => {
    const source = await readFile(new URL('../../src/engine/onnx/lowerings.ts', import.meta.url), 'utf8');
    const calls = /(?:plain|reduction|write|emit)\(\s*(?:node, context, )?'(\w+)'/g;
    const named = new Set([...source.matchAll(calls)].map(([, name]) => name));
    assert.ok(named.size > 30, 'the sources are read rightly');
    const { stdout, stderr } = runPython('operators.py');
    // Sizes that are known only at run time are asked for with Shape; a training program has none.
    const known = new Set([...stdout.trim().split('\n'), 'Shape']);
    assert.deepEqual(
      [...named].filter((name) => !known.has(name ?? '')),
      [],
      stderr,
    );
  });

  test('nothing lies on another device than the one that is asked for', { timeout: 300_000 }, async () => {
    // PyTorch's device without memory refuses to mix with others, as an accelerator does, and is everywhere.
    for (const [i, name] of Object.keys(architectures).entries()) {
      const folder = join(work, `meta-${i}`);
      await packed(name, folder);
      const check = spawnSync(python, ['-c', onMeta, folder], {
        encoding: 'utf8',
        env: { ...process.env, PYTHONPATH: interpreter },
      });
      assert.equal(check.status, 0, check.stderr);
      assert.match(check.stdout, /^meta$/m);
    }
  });

  test('what does not fit is refused in words', { timeout: 300_000 }, async () => {
    const folder = join(work, 'refused');
    await packed(transformer, folder);
    const refusal = (/** @type {string[]} */ ...options) => {
      const { status, stderr } = runPython(
        'train.py',
        folder,
        '--out',
        join(folder, 'o.safetensors'),
        ...options,
      );
      assert.notEqual(status, 0);
      return stderr;
    };
    const cut = join(folder, 'cut.onnx');
    await writeFile(cut, (await readFile(join(folder, 'step.onnx'))).subarray(0, 5000));
    assert.match(refusal('--program', cut), /cut off/);
    await writeFile(cut, 'no program');
    assert.match(refusal('--program', cut), /no program|damaged|cut off/);
    const state = join(folder, 'cut.safetensors');
    await writeFile(state, (await readFile(join(folder, 'state.safetensors'))).subarray(0, 90_000));
    assert.match(refusal('--state', state), /cut off/);
    assert.match(refusal('--state', join(folder, 'numbers.safetensors')), /lacks/);
    // A state that is lost is never saved over one that is not, however rarely lines are printed.
    const lost = await readFile(join(folder, 'state.safetensors'));
    const start = 8 + Number(lost.readBigUInt64LE());
    const { data_offsets: place } = JSON.parse(lost.toString('utf8', 8, start)).logit_scale;
    lost.writeFloatLE(Number.NaN, start + place[0]);
    await writeFile(state, lost);
    assert.match(
      refusal('--state', state, '--log-every', '100', '--steps', '2'),
      /of step 2 is nan; the last state saved is kept/,
    );
    await assert.rejects(readFile(join(folder, 'o.safetensors')));
  });
});

/** One step with everything on PyTorch's device of shapes alone; prints where the loss lies. */
const onMeta = `
import sys
from interpreter import Interpreter
from pack import batches, read_pack
from safetensors_file import read_tensors
pack = read_pack(sys.argv[1])
feeds = next(batches(pack, pack.batches, 0, "meta"))
feeds |= {name: value.to("meta") for name, value in read_tensors(pack.state)[0].items()}
feeds |= {name: series.to("meta")[0] for name, series in pack.numbers.items()}
print(Interpreter(pack.program, "meta").run(feeds)["loss"].device.type)
`;

/** The steps with every product rounded, however small; prints the losses and the types of the state. */
const inBfloat16 = `
import json, sys
import interpreter
from pack import batches, read_pack
from safetensors_file import read_tensors
interpreter.large = 0
pack = read_pack(sys.argv[1])
run = interpreter.Interpreter(pack.program, "cpu", bfloat16=True).run
state, losses = read_tensors(pack.state)[0], []
for step, batch in enumerate(batches(pack, pack.batches, 0, "cpu")):
    if step == pack.count:
        break
    outputs = run({**batch, **{name: series[step] for name, series in pack.numbers.items()}, **state})
    state.update((name, outputs[output]) for output, name in pack.feedback)
    losses.append(outputs["loss"].item())
print(json.dumps({"losses": losses, "types": sorted({str(value.dtype) for value in state.values()})}))
`;
