import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { describeError } from '../../src/cli/failure.ts';

test('what the system refuses is one line with the path; only faults of the program show where they arose', async () => {
  const refused = await readFile('/no/such/file').catch((error: unknown) => error);
  const { message } = describeError(refused);
  expect(message).toMatch(/^ENOENT: .*file'$/);
  expect(message).not.toContain('\n');
  expect(describeError(new TypeError('x is undefined')).message).toMatch(/x is undefined\n\s+at /);
  expect(describeError('a word')).toEqual({ code: 'internal', message: 'a word' });
});
