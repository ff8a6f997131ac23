/** Batches are formed from requests that come together, in turns, and nobody waits for what was given up. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { EidosError } from '../../src/errors.ts';
import { createAdmission, createGate } from '../../src/server/batching/admission.ts';
import { createBatcher } from '../../src/server/batching/batcher.ts';

/** A batcher whose runs end when they are told to. */
function heldBatcher({ batchSize = 4, gatherTime = 0 } = {}) {
  const runs: { inputs: readonly string[]; end: (error?: unknown) => void }[] = [];
  const batcher = createBatcher<string, string>({
    batchSize,
    gatherTime,
    process: (inputs) =>
      new Promise((resolve, reject) => {
        const outputs = inputs.map((input) => input.toUpperCase());
        runs.push({ inputs, end: (error) => (error === undefined ? resolve(outputs) : reject(error)) });
      }),
  });
  return { batcher, runs };
}

const settled = () => new Promise<void>((resolve) => setImmediate(resolve));

describe('batches', () => {
  test('what comes while a run is under way goes into the next one', async () => {
    const { batcher, runs } = heldBatcher();
    const answers = ['a', 'b', 'c'].map((input) => batcher.run([input]));
    expect(runs.map(({ inputs }) => inputs)).toEqual([['a']]);
    expect(batcher.waiting).toBe(2);
    runs[0]!.end();
    await settled();
    expect(runs.map(({ inputs }) => inputs)).toEqual([['a'], ['b', 'c']]);
    runs[1]!.end();
    expect(await Promise.all(answers)).toEqual([['A'], ['B'], ['C']]);
  });

  test('an idle batcher waits for company, but not once a batch is full', async () => {
    const { batcher, runs } = heldBatcher({ batchSize: 2, gatherTime: 60_000 });
    const answers = [batcher.run(['a']), batcher.run(['b'])];
    expect(runs.map(({ inputs }) => inputs)).toEqual([['a', 'b']]);
    runs[0]!.end();
    expect(await Promise.all(answers)).toEqual([['A'], ['B']]);
  });

  test('a large request does not hold up a small one', async () => {
    const { batcher, runs } = heldBatcher({ batchSize: 4 });
    void batcher.run(['1', '2', '3', '4', '5', '6', '7', '8', '9', '10']);
    const small = batcher.run(['a']);
    runs[0]!.end();
    await settled();
    expect(runs[1]!.inputs).toContain('a');
    runs[1]!.end();
    expect(await small).toEqual(['A']);
  });

  test('what is given up is answered at once and takes no part in later runs', async () => {
    const { batcher, runs } = heldBatcher();
    const first = batcher.run(['a']);
    const leaving = new AbortController();
    const given = batcher.run(['b', 'c'], leaving.signal);
    const last = batcher.run(['d']);
    leaving.abort();
    await expect(given).rejects.toMatchObject({ code: 'aborted' });
    runs[0]!.end();
    await first;
    await settled();
    expect(runs[1]!.inputs).toEqual(['d']);
    runs[1]!.end();
    expect(await last).toEqual(['D']);
    await expect(batcher.run(['e'], leaving.signal)).rejects.toMatchObject({ code: 'aborted' });
  });

  test('a run that fails fails for those in it, and the next one goes on', async () => {
    const { batcher, runs } = heldBatcher();
    const broken = batcher.run(['a']);
    const sound = batcher.run(['b']);
    runs[0]!.end(new EidosError('engine_failed', 'no'));
    await expect(broken).rejects.toMatchObject({ code: 'engine_failed' });
    await settled();
    runs[1]!.end();
    expect(await sound).toEqual(['B']);
  });

  test('everybody gets the own answers in order, whatever comes together', async () => {
    const requests = fc.array(fc.array(fc.string(), { maxLength: 9 }), { maxLength: 20 });
    const property = fc.asyncProperty(requests, fc.integer({ min: 1, max: 7 }), async (all, batchSize) => {
      let largest = 0;
      const batcher = createBatcher<string, string>({
        batchSize,
        gatherTime: 0,
        process: async (inputs) => {
          largest = Math.max(largest, inputs.length);
          await settled();
          return inputs.map((input) => `${input}!`);
        },
      });
      const answers = await Promise.all(all.map((inputs) => batcher.run(inputs)));
      expect(answers).toEqual(all.map((inputs) => inputs.map((input) => `${input}!`)));
      expect(largest).toBeLessThanOrEqual(batchSize);
    });
    await fc.assert(property, { numRuns: 100, endOnFailure: true });
  });
});

describe('room', () => {
  test('what is over it is refused, and comes in when others have left', () => {
    const admission = createAdmission(3, 'texts');
    const leave = admission.enter(2);
    expect(() => admission.enter(2)).toThrow(expect.objectContaining({ code: 'overloaded' }));
    leave();
    leave();
    expect(admission.inside).toBe(0);
    admission.enter(2);
  });

  test('a request that is larger than all room is taken on alone', () => {
    const admission = createAdmission(3, 'texts');
    const leave = admission.enter(10);
    expect(() => admission.enter(1)).toThrow(/busy/);
    leave();
  });

  test('a gate lets no more through than it is wide, and passes over those who have left', async () => {
    const gate = createGate(2);
    let running = 0;
    let most = 0;
    const task = async () => {
      most = Math.max(most, ++running);
      await settled();
      running -= 1;
    };
    const left = AbortSignal.abort();
    const outcomes = await Promise.allSettled([
      ...Array.from({ length: 9 }, () => gate(task)),
      gate(task, left),
      gate(() => Promise.reject(new Error('broken'))),
      gate(task),
    ]);
    expect(most).toBe(2);
    expect(outcomes.filter(({ status }) => status === 'rejected')).toHaveLength(2);
  });
});
