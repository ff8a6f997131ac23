/** Every operator computes what its reference says, whatever the shapes. */
import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { createEngine } from '../../src/engine/engine.ts';
import type { OperatorName } from '../../src/graph/operators.ts';
import { graphOf, operatorCases } from './cases.ts';
import { evaluate } from './reference.ts';
import { expectClose, run } from './run.ts';

const engine = createEngine({ threads: 1 });
afterAll(() => engine.close());

describe.each(Object.keys(operatorCases) as OperatorName[])('%s', (operator) => {
  test('computes what the reference computes', async () => {
    await fc.assert(
      fc.asyncProperty(fc.gen(), async (draw) => {
        const { outputs, feeds } = graphOf(operator, operatorCases[operator](draw));
        // Any selection of the outputs, as statistics are computed only where something reads them.
        const chosen = draw(fc.subarray<number>, [...outputs.keys()], { minLength: 1 });
        const results = chosen.map((i) => outputs[i]!);
        const actual = await run(engine, results, feeds);
        evaluate(results, feeds).forEach((expected, i) => {
          expect(actual[i]!.type).toBe(results[i]!.type);
          expectClose(actual[i]!, expected, 2e-5);
        });
      }),
      { numRuns: 20, endOnFailure: true },
    );
  });
});
