import { readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { type LockHolder, withLock } from '../../src/disk/lock.ts';
import { EidosError } from '../../src/errors.ts';
import { withIndexLock } from '../../src/tasks/search/store/lock.ts';
import { temporaryFolder } from '../tasks/search/pictures.ts';

let folder: string;
let path: string;
beforeEach(async () => {
  folder = await temporaryFolder();
  path = join(folder, '.lock');
});
afterEach(async () => {
  vi.restoreAllMocks();
  await rm(folder, { recursive: true });
});

/** Each look at the clock is five seconds after the one before. */
function hastenClock(): void {
  let now = 0;
  vi.spyOn(performance, 'now').mockImplementation(() => (now += 5000));
}

test('one after the other, and nothing is left behind', async () => {
  let inside = 0;
  const outcomes = await Promise.all(
    [1, 2, 3].map((number) =>
      withLock(path, {}, async () => {
        inside += 1;
        expect(inside).toBe(1);
        expect(await readFile(path, 'utf8')).toContain(`${hostname()} ${process.pid} `);
        inside -= 1;
        return number;
      }),
    ),
  );
  expect(outcomes).toEqual([1, 2, 3]);
  expect(await readdir(folder)).toEqual([]);
});

test.each([
  // Beyond the largest number of a process on any system.
  ['a process of this machine that is no more', `${hostname()} 2147483647 a`, false],
  ['one of another machine that is silent', 'elsewhere 1 a', true],
  ['a number that another process has by now', `${hostname()} ${process.ppid} a`, true],
  ['one that died before it wrote its name', '', true],
])('the lock of %s holds nothing up', async (_, mark, isHeard) => {
  await writeFile(path, mark);
  if (isHeard) hastenClock();
  let waits = 0;
  expect(await withLock(path, { onWait: () => waits++ }, async () => 'done')).toBe('done');
  expect(waits).toBe(Number(isHeard));
  expect(await readdir(folder)).toEqual([]);
});

test('a holder that touches its lock is waited for, whatever its clock says', async () => {
  await writeFile(path, 'elsewhere 1 a');
  const stop = new AbortController();
  let looks = 0;
  vi.spyOn(performance, 'now').mockImplementation(() => {
    utimes(path, looks, looks).catch(() => {});
    if (++looks === 20) stop.abort();
    return 5000 * looks;
  });
  const waiting = withLock(path, { signal: stop.signal }, async () => 'done');
  await expect(waiting).rejects.toMatchObject({ code: 'aborted' });
  expect(await readFile(path, 'utf8')).toBe('elsewhere 1 a');
});

test('a folder that cannot be written is told as the system tells it, and by the index in words of its own', async () => {
  const place = join(folder, 'nowhere/.lock');
  await expect(withLock(place, {}, async () => 'done')).rejects.toMatchObject({ code: 'ENOENT' });
  await expect(withIndexLock(place, {}, async () => 'done')).rejects.toMatchObject({
    code: 'write_failed',
    message: expect.stringContaining(`${place} cannot be written: ENOENT`),
  });
});

test('what the action throws passes as it is, and gives the lock back', async () => {
  const fault = Object.assign(new Error('a fault of the disk'), { code: 'EIO' });
  await expect(withIndexLock(path, {}, () => Promise.reject(fault))).rejects.toBe(fault);
  expect(await readdir(folder)).toEqual([]);
});

test('who is waited for is named', async () => {
  await writeFile(path, `${hostname()} ${process.ppid} a`);
  const options = { signal: AbortSignal.abort(), holderName: 'another download' };
  await expect(withLock(path, options, async () => 'done')).rejects.toThrow(
    'Waiting for another download was aborted.',
  );
});

test('whoever does not want to wait refuses a holder that lives at once', async () => {
  const refuse = ({ host, process: id }: LockHolder) =>
    new EidosError('invalid_option', `${host} ${id} has it`);
  await withLock(path, {}, async () => {
    const second = withLock(path, { refuse }, async () => 'done');
    await expect(second).rejects.toThrow(`${hostname()} ${process.pid} has it`);
  });
  expect(await withLock(path, { refuse }, async () => 'done')).toBe('done');

  await writeFile(path, `${hostname()} 2147483647 a`);
  expect(await withLock(path, { refuse }, async () => 'done')).toBe('done');
});

test('one that is silent is listened to, and refused when it touches its lock', async () => {
  const refuse = () => new EidosError('invalid_option', 'it lives');
  const mark = 'elsewhere 1 a';
  await writeFile(path, mark);
  await utimes(path, 1, 1);
  hastenClock();
  expect(await withLock(path, { refuse }, async () => 'done')).toBe('done');

  await writeFile(path, mark);
  await utimes(path, 1, 1); // a disk with another clock
  const onWait = () => void utimes(path, 2, 2);
  await expect(withLock(path, { refuse, onWait }, async () => 'done')).rejects.toThrow('it lives');
  expect(await readFile(path, 'utf8')).toBe(mark);
});
