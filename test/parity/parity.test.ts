/** Every claim of the table holds: what eidos computes is what the original code computed, within its tolerance. */
import { afterAll, describe, expect, test } from 'vitest';
import { closeParityEngine } from './engine.ts';
import { findFixture } from './fixture-files.ts';
import { parityChecks } from './table.ts';

const missing = parityChecks.filter(({ needs }) => needs.some((path) => findFixture(path) === undefined));
if (missing.length > 0) {
  console.log(
    `${missing.length} of ${parityChecks.length} parity checks are skipped: their fixtures (../shared/fixtures) are not beside this clone.`,
  );
}

afterAll(closeParityEngine);

for (const folder of new Set(parityChecks.map((check) => check.folder))) {
  describe(folder, () => {
    for (const check of parityChecks.filter((one) => one.folder === folder)) {
      test.skipIf(missing.includes(check))(check.what, async () => {
        const difference = await check.difference();
        // A reason that no longer holds is to be taken out of the table.
        if (check.unmet !== undefined) expect(difference).toBeGreaterThan(check.tolerance);
        else expect(difference).toBeLessThanOrEqual(check.tolerance);
      });
    }
  });
}
