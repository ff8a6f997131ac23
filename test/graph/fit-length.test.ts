/** fitLength takes axes whose size is known only at run time. */
import { afterAll, expect, test } from 'vitest';
import { createEngine } from '../../src/engine/engine.ts';
import { lower } from '../../src/engine/onnx/lower.ts';
import { differentiate } from '../../src/graph/differentiate.ts';
import { symbolic } from '../../src/graph/dimension.ts';
import { fitLength, input, reduceSum } from '../../src/graph/operations.ts';

const engine = createEngine({ threads: 1 });
afterAll(() => engine.close());

test('one program cuts long rows and fills up short ones', async () => {
  const ids = input('ids', [symbolic('n'), symbolic('t')], 'int64');
  const session = await engine.compile(lower({ fitted: fitLength(ids, 1, 4) }));
  const fitted = async (rows: number[][]): Promise<number[]> => {
    const shape = [rows.length, rows[0]!.length];
    const feeds = { ids: { type: 'int64', data: BigInt64Array.from(rows.flat(), BigInt), shape } } as const;
    const outputs = await session.run(feeds, { fetches: ['fitted'] });
    expect([...outputs.fitted!.shape]).toEqual([rows.length, 4]);
    return Array.from(outputs.fitted!.data as BigInt64Array, Number);
  };
  expect(await fitted([[7]])).toEqual([7, 0, 0, 0]);
  expect(await fitted([[1, 2, 3, 4]])).toEqual([1, 2, 3, 4]);
  const long = await fitted([
    [1, 2, 3, 4, 5, 6],
    [9, 8, 7, 6, 5, 4],
  ]);
  expect(long).toEqual([1, 2, 3, 4, 9, 8, 7, 6]);
});

test('refuses lengths that are none, axes that are not there, and gradients along unknown sizes', () => {
  const x = input('x', [symbolic('t')]);
  expect(() => fitLength(x, 0, 0)).toThrow('fitLength: an axis cannot be 0 long');
  expect(() => fitLength(x, 1, 3)).toThrow('[t] has no axis 1');
  expect(() => differentiate(reduceSum(fitLength(x, 0, 3), [0]), [x])).toThrow(
    'only where the size is known',
  );
});
