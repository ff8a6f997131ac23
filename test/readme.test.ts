import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

const root = fileURLToPath(new URL('..', import.meta.url));
const readme = await readFile(join(root, 'README.md'), 'utf8');

interface Example {
  language: string;
  code: string;
}

const examples: Example[] = [...readme.matchAll(/^```(\w+(?: \w+)?)\n([\s\S]*?)^```$/gm)].map((match) => ({
  language: match[1]!,
  code: match[2]!,
}));

/** What `// …` behind console.log says is printed. */
function promisedOutput(code: string): string[] {
  return [...code.matchAll(/^console\.log\(.*\); \/\/ (.+)$/gm)].map((match) => match[1]!);
}

describe.skipIf(!existsSync(join(root, 'dist/cli/main.js')))('the examples of the README', () => {
  let folder: string;
  beforeAll(async () => {
    // A project of its own, as a reader's would be, with the examples at hand.
    folder = await mkdtemp(join(tmpdir(), 'eidos-readme-'));
    await mkdir(join(folder, 'node_modules'));
    await symlink(root, join(folder, 'node_modules/eidos'), 'junction');
    await symlink(join(root, 'examples'), join(folder, 'examples'), 'junction');
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));
  const environment = () => ({
    ...process.env,
    XDG_CACHE_HOME: join(folder, 'cache'),
    XDG_DATA_HOME: join(folder, 'data'),
    HF_HUB_OFFLINE: '1',
  });

  const scripts = examples.filter(({ language }) => language === 'js');
  test.each(scripts.map(({ code }, i) => [i, code] as const))(
    'library example %i prints what it says',
    async (i, code) => {
      const file = join(folder, `example-${i}.mjs`);
      await writeFile(file, code);
      const { status, stdout, stderr } = spawnSync(process.execPath, [file], {
        cwd: folder,
        encoding: 'utf8',
        env: environment(),
      });
      expect(stderr).toBe('');
      expect(status).toBe(0);
      expect(stdout.trim().split('\n')).toEqual(promisedOutput(code));
    },
  );

  const commands = examples
    .filter(({ language }) => language === 'sh')
    .flatMap(({ code }) => code.trim().split('\n'));
  test.each(commands)('%s', (command) => {
    expect(command).toMatch(/^npx eidos /);
    const { status, stderr } = spawnSync(
      command.replace('npx eidos', `"${process.execPath}" "${root}dist/cli/main.js"`),
      {
        cwd: folder,
        encoding: 'utf8',
        env: environment(),
        shell: true,
      },
    );
    expect(stderr).toBe('');
    expect(status).toBe(0);
  });

  test('there are examples of both kinds', () => {
    expect(scripts.length).toBeGreaterThanOrEqual(2);
    expect(commands.length).toBeGreaterThanOrEqual(6);
  });
});
