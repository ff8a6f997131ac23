import { arch, platform } from 'node:os';
import { expect, test } from 'vitest';
import { compileGraph, createDeviceEngine } from '../../src/engine/compile.ts';
import { type Device, devices, listDevices, requireNumberType } from '../../src/engine/devices.ts';
import { createEngine } from '../../src/engine/engine.ts';
import { lower } from '../../src/engine/onnx/lower.ts';
import { network, rowCosines, samples, temporaryFolder, writeWeights } from './network.ts';

const names = Object.keys(devices) as Device[];

test('every device is listed once, works or has a reason, and the CPU works', async () => {
  const reports = await listDevices();
  expect(reports.map(({ device }) => device).sort()).toEqual([...names].sort());
  for (const report of reports) {
    if (!report.available) expect(report.reason).toMatch(/needs|has no/);
  }
  expect(reports.find(({ device }) => device === 'cpu')?.available).toBe(true);
});

test.each(names)('%s runs a network or says what is missing, and is never replaced', async (device) => {
  const results = network();
  const weights = writeWeights(results, `${temporaryFolder()}/weights`);
  const engine = createEngine({ device, threads: 1 });
  try {
    const report = (await listDevices()).find((candidate) => candidate.device === device)!;
    const compiled = compileGraph(engine, results, weights);
    if (report.available) {
      const session = await compiled;
      expect(session.device).toBe(device);
      const { y } = await session.run({ x: samples(3) }, { fetches: ['y'] });
      expect(y!.shape).toEqual([3, 96]);
    } else {
      await expect(compiled).rejects.toMatchObject({ code: 'device_unavailable' });
      await expect(compiled).rejects.toThrow(`'${device}'`);
      await expect(compiled).rejects.toThrow(devices[device].remedy);
    }
  } finally {
    await engine.close();
  }
});

test('auto takes the first that works and says why the others do not', async () => {
  const engine = await createDeviceEngine({ device: 'auto', threads: 1 });
  const reports = await listDevices();
  expect(engine.device).toBe(reports.find(({ available }) => available)?.device);
  const before = reports.slice(
    0,
    reports.findIndex(({ available }) => available),
  );
  expect(engine.passedOver.map(({ device }) => device)).toEqual(before.map(({ device }) => device));
  for (const { reason } of engine.passedOver) expect(reason).not.toBe('');
  await engine.close();
});

test('auto passes over devices without the number type', async () => {
  const engine = await createDeviceEngine({ device: 'auto', dtype: 'int8', threads: 1 });
  expect(engine.device).toBe('cpu');
  expect(engine.passedOver.map(({ reason }) => reason)).toContain(
    'The CUDA (NVIDIA) device does not compute in int8.',
  );
  await engine.close();
  const accelerated = (await listDevices()).some(({ device, available }) => device !== 'cpu' && available);
  if (!accelerated) {
    const starting = createDeviceEngine({ device: 'auto', dtype: 'fp16' });
    await expect(starting).rejects.toMatchObject({ code: 'dtype_unavailable' });
    await expect(starting).rejects.toThrow(/fp16.*fp32 and int8.*cuda: .*cpu: /);
  }
});

test('a device of another system is refused by the name of its system', async () => {
  const foreign = names.find((name) => !devices[name].systems.includes(`${platform()}-${arch()}`))!;
  await expect(createDeviceEngine({ device: foreign })).rejects.toThrow(devices[foreign].systems[0]!);
});

test('unknown devices and impossible numbers of threads', () => {
  expect(() => createEngine({ device: 'gpu' as Device })).toThrow(/no device 'gpu'.*cuda/);
  expect(() => createEngine({ threads: 0 })).toThrow(/threads is 0/);
  expect(() => createEngine({ threads: 1.5 })).toThrow(/threads is 1.5/);
});

test('a program in half floats gives nearly the same numbers', async () => {
  // The CPU runs it by widening: no faster, but a proof of the program that accelerators get.
  const results = network();
  const weights = writeWeights(results, `${temporaryFolder()}/weights`);
  const engine = createEngine({ threads: 1 });
  const x = samples(16);
  const answer = async (floatType: 'float32' | 'float16'): Promise<Float32Array> => {
    const session = await engine.compile(lower(results, { weights, floatType }));
    return (await session.run({ x }, { fetches: ['y'] })).y!.data as Float32Array;
  };
  const [whole, half] = [await answer('float32'), await answer('float16')];
  expect(half).not.toEqual(whole);
  expect(Math.min(...rowCosines(half, whole))).toBeGreaterThan(0.99999);
  await engine.close();
});

test('half floats on the CPU are an error that says where they are', async () => {
  await expect(createDeviceEngine({ dtype: 'fp16' })).rejects.toMatchObject({ code: 'dtype_unavailable' });
  const engine = createEngine({ threads: 1 });
  const compiled = compileGraph(engine, network(), new Map(), { dtype: 'fp16' });
  await expect(compiled).rejects.toThrow(/'fp16'.*CPU.*fp32 or int8.*cuda/);
  await engine.close();
  expect(() => requireNumberType('cuda', 'int8')).toThrow(/'int8'.*cpu/);
});
