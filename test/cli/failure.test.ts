import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { describeError, reportFailure } from '../../src/cli/failure.ts';
import { EidosError } from '../../src/errors.ts';

test('what the system refuses is one line with the path; only faults of the program show where they arose', async () => {
  const refused = await readFile('/no/such/file').catch((error: unknown) => error);
  const { message } = describeError(refused);
  expect(message).toMatch(/^ENOENT: .*file'$/);
  expect(message).not.toContain('\n');
  expect(describeError(new TypeError('x is undefined')).message).toMatch(/x is undefined\n\s+at /);
  expect(describeError('a word')).toEqual({ code: 'internal', message: 'a word' });
});

test('a file that was taken for an option is named with the way to write it', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'eidos-dash-'));
  const file = '-dash.jpg';
  await writeFile(join(folder, file), '');
  const before = process.cwd();
  const write = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
  try {
    process.chdir(folder);
    reportFailure(new EidosError('invalid_option', 'No.'), false, ['classify', file]);
    expect(write.mock.calls.flat().join('')).toMatch(/write \.\/-dash\.jpg .* or -- before it/);
  } finally {
    write.mockRestore();
    process.chdir(before);
    await rm(folder, { recursive: true });
  }
});
