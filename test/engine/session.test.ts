import { afterAll, beforeAll, expect, test } from 'vitest';
import { createEngine, type Engine, type RuntimeTensor } from '../../src/engine/engine.ts';
import { lower } from '../../src/engine/onnx/lower.ts';
import { zeros } from '../../src/graph/initialise.ts';
import { add, input, matmul, multiply, parameter, reduceSum } from '../../src/graph/operations.ts';
import type { Value } from '../../src/graph/value.ts';
import { samples } from './network.ts';

let engine: Engine;
beforeAll(() => {
  engine = createEngine({ threads: 1 });
});
afterAll(() => engine.close());

const tensor = (data: number[], shape = [data.length]): RuntimeTensor => ({
  type: 'float32',
  data: Float32Array.from(data),
  shape,
});

/** w ← w + step, sum = Σ w as it was. */
function counter(): Record<string, Value> {
  const w = parameter('w', [4], zeros);
  return { next: add(w, input('step', [])), sum: reduceSum(w, [0]) };
}

/** A run that takes long: the same product again and again. */
function slowProgram(rounds: number): Record<string, Value> {
  let x = input('x', [512, 512]);
  for (let round = 0; round < rounds; round++) x = multiply(matmul(x, x), 1e-3);
  return { y: reduceSum(x, [0, 1]) };
}
const slowFeed = (): Record<string, RuntimeTensor> => ({ x: samples(512, 512) });

test.each([true, false])(
  'runs that are not awaited happen in the order of the calls, each on the state of the one before; memory planned: %s',
  async (planMemory) => {
    const session = await engine.compile(lower(counter()), { planMemory });
    await session.setState({ w: tensor([0, 0, 0, 0]) });
    const runs = [1, 2, 3, 4, 5].map((step) =>
      session.run({ step: tensor([step], []) }, { fetches: ['sum'], feedback: [['next', 'w']] }),
    );
    const sums = (await Promise.all(runs)).map(({ sum }) => sum!.data[0]);
    expect(sums).toEqual([0, 4, 12, 24, 40]);
    expect([...(await session.getState(['w'])).w!.data]).toEqual([15, 15, 15, 15]);
    await session.release();
  },
);

test('an output may be fetched and fed back at once, to two states too', async () => {
  const w = parameter('w', [4], zeros);
  const v = parameter('v', [4], zeros);
  const session = await engine.compile(lower({ next: add(w, 1), other: add(v, w) }));
  await session.setState({ w: tensor([0, 0, 0, 0]), v: tensor([5, 5, 5, 5]) });
  const both = [
    ['next', 'w'],
    ['next', 'v'],
  ] as const;
  const first = await session.run({}, { fetches: ['next'], feedback: both });
  const second = await session.run({}, { fetches: ['next', 'other'], feedback: [['next', 'w']] });
  const third = await session.run({}, { fetches: ['other'], feedback: [['next', 'w']] });
  const fourth = await session.run({}, { fetches: ['other'], feedback: [['next', 'w']] });
  expect([...first.next!.data]).toEqual([1, 1, 1, 1]);
  expect([...second.next!.data]).toEqual([2, 2, 2, 2]);
  expect([second, third, fourth].map(({ other }) => other!.data[3])).toEqual([2, 3, 4]);
  await session.release();
});

test('feeds are copied, or moved where that is asked for and possible', async () => {
  const session = await engine.compile(lower({ y: multiply(input('x', [4]), 2) }));
  const kept = tensor([1, 2, 3, 4]);
  const moved = tensor([1, 2, 3, 4]);
  const part = { ...kept, data: new Float32Array(8).fill(3).subarray(2, 6) };
  await session.run({ x: kept }, { fetches: ['y'] });
  await session.run({ x: moved }, { fetches: ['y'], transfer: ['x'] });
  const { y } = await session.run({ x: part }, { fetches: ['y'], transfer: ['x'] });
  expect(kept.data.length).toBe(4);
  expect(moved.data.length).toBe(0);
  expect(part.data.length).toBe(4);
  expect([...y!.data]).toEqual([6, 6, 6, 6]);
  expect(y!.data.byteLength).toBe(y!.data.buffer.byteLength);
  await expect(session.run({ x: kept }, { fetches: ['y'], transfer: ['z'] })).rejects.toThrow("'z'");
  const state = tensor([5, 6, 7, 8]);
  await session.setState({ x: state }, { transfer: ['x'] });
  expect(state.data.length).toBe(0);
  expect((await session.getState(['x'])).x).toEqual(tensor([5, 6, 7, 8]));
  await session.release();
});

test("onnxruntime's complaints come as engine_failed and leave the engine usable", async () => {
  const session = await engine.compile(lower({ y: multiply(input('x', [4]), 2) }));
  const wrong = session.run({ x: tensor([1, 2]) }, { fetches: ['y'] });
  await expect(wrong).rejects.toMatchObject({ code: 'engine_failed' });
  await expect(session.run({}, { fetches: ['y'] })).rejects.toMatchObject({ code: 'engine_failed' });
  await expect(session.getState(['nothing'])).rejects.toThrow("'nothing'");
  const garbage = { ...lower({ y: multiply(input('x', [4]), 2) }), model: new Uint8Array(10).fill(255) };
  await expect(engine.compile(garbage)).rejects.toMatchObject({ code: 'engine_failed' });
  const { y } = await session.run({ x: tensor([1, 2, 3, 4]) }, { fetches: ['y'] });
  expect(y!.data[3]).toBe(8);
  await session.release();
});

test('after release and close everything fails with closed', async () => {
  const own = createEngine({ threads: 1 });
  const session = await own.compile(lower(counter()));
  await session.release();
  await session.release();
  await expect(session.run({}, { fetches: [] })).rejects.toMatchObject({ code: 'closed' });
  await own.close();
  await own.close();
  await expect(own.compile(lower(counter()))).rejects.toMatchObject({ code: 'closed' });
});

test('the thread of the caller stays free during a run, and closing ends the waiting for it', async () => {
  const own = createEngine({ threads: 1 });
  const session = await own.compile(lower(slowProgram(60)));
  let ticks = 0;
  const timer = setInterval(() => ticks++, 2);
  const started = performance.now();
  await session.run(slowFeed(), { fetches: ['y'] });
  clearInterval(timer);
  const took = performance.now() - started;
  // A blocked thread would have fired once; a tenth of the possible firings leaves room for a busy machine.
  expect(ticks).toBeGreaterThan(took / 20);
  const running = session.run(slowFeed(), { fetches: ['y'] });
  const queued = session.run(slowFeed(), { fetches: ['y'] });
  const closing = own.close();
  await expect(running).rejects.toMatchObject({ code: 'closed' });
  await expect(queued).rejects.toMatchObject({ code: 'closed' });
  await closing;
});

test('results outlive the engine', async () => {
  const own = createEngine({ threads: 1 });
  const session = await own.compile(lower({ y: multiply(input('x', [1000]), 2) }));
  const { y } = await session.run({ x: { ...samples(1, 1000), shape: [1000] } }, { fetches: ['y'] });
  const before = Float32Array.from(y!.data as Float32Array);
  await own.close();
  expect(y!.data).toEqual(before);
});

test('memory stays level over hundreds of runs', async () => {
  const session = await engine.compile(lower({ y: multiply(input('x', [256, 1024]), 2) }));
  const megabyte = 2 ** 20;
  const x: RuntimeTensor = { type: 'float32', data: new Float32Array(256 * 1024), shape: [256, 1024] };
  const round = async (count: number): Promise<number> => {
    for (let i = 0; i < count; i++) await session.run({ x }, { fetches: ['y'] });
    return process.memoryUsage.rss() / megabyte;
  };
  const before = await round(300);
  const after = await round(300);
  // 300 runs move 300 MB in and 300 MB out; a leak of either would show.
  expect(after - before).toBeLessThan(150);
  await session.release();
});

test('the memory of a state is given back by the run that gives the next one', async () => {
  const megabyte = 2 ** 20;
  const size = 64;
  const shape = [size, megabyte / 4];
  const session = await engine.compile(lower({ next: add(parameter('w', shape, zeros), 1) }));
  const before = process.memoryUsage.rss() / megabyte;
  const data = new Float32Array((size * megabyte) / 4);
  await session.setState({ w: { type: 'float32', data, shape } }, { transfer: ['w'] });
  for (let i = 0; i < 3; i++) await session.run({}, { fetches: [], feedback: [['next', 'w']] });
  // The state, and onnxruntime's own memory for one result; a state that waits for the garbage collector is one more.
  expect(process.memoryUsage.rss() / megabyte - before).toBeLessThan(2.4 * size);
  await session.release();
});

test('a run that fails leaves the state as it was', async () => {
  const session = await engine.compile(lower(counter()));
  await session.setState({ w: tensor([1, 2, 3, 4]) });
  const failing = session.run({}, { fetches: [], feedback: [['next', 'w']] });
  await expect(failing).rejects.toMatchObject({ code: 'engine_failed' });
  expect([...(await session.getState(['w'])).w!.data]).toEqual([1, 2, 3, 4]);
  await session.release();
});
