/** What `eidos search` prints for people, for programs and for other commands. The last part needs the build. */
import { existsSync } from 'node:fs';
import { copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { fileLink, showsLinks, withoutControls } from '../../src/cli/terminal/links.ts';
import { itermImage, kittyImage, preview } from '../../src/cli/terminal/preview.ts';
import { previewProtocol } from '../../src/cli/terminal/protocols.ts';
import { sixelImage } from '../../src/cli/terminal/sixel.ts';
import { commandLine, printedLines, runEidos, runShell } from '../command.ts';
import { pictureBytes, writePictures } from '../tasks/search/pictures.ts';
import { writeTinyModel } from '../tiny-model.ts';

const terminal = { isTTY: true };

describe('links', () => {
  test('lead to the bytes of a path, whatever it is called', () => {
    const path = Buffer.concat([Buffer.from('/a b/%;ü\x1b\n'), Buffer.of(0xe9), Buffer.from('.jpg')]);
    expect(fileLink('name', path)).toBe(
      `\x1b]8;;file://${hostname()}/a%20b/%25%3B%C3%BC%1B%0A%E9.jpg\x1b\\name\x1b]8;;\x1b\\`,
    );
  });

  test('are for terminals that have them', () => {
    expect(showsLinks(terminal, { TERM: 'xterm-256color' })).toBe(true);
    for (const TERM of ['dumb', 'linux', undefined]) expect(showsLinks(terminal, { TERM })).toBe(false);
    expect(showsLinks({}, { TERM: 'xterm-256color' })).toBe(false);
    expect(showsLinks({}, { FORCE_HYPERLINK: '1' })).toBe(true);
    expect(showsLinks(terminal, { TERM: 'xterm', FORCE_HYPERLINK: '0' })).toBe(false);
  });

  test('names cannot steer the terminal', () => {
    expect(withoutControls('a\x1b]0;title\x07\n\x9b.jpg ü')).toBe('a\\x1B]0;title\\x07\\x0A\\x9B.jpg ü');
  });
});

describe('previews', () => {
  test.each([
    [{ TERM: 'xterm-kitty' }, 'kitty'],
    [{ TERM: 'xterm-256color', KITTY_WINDOW_ID: '1' }, 'kitty'],
    [{ TERM: 'xterm-ghostty' }, 'kitty'],
    [{ TERM: 'xterm-256color', TERM_PROGRAM: 'iTerm.app' }, 'iterm'],
    [{ TERM: 'xterm-256color', TERM_PROGRAM: 'WezTerm' }, 'iterm'],
    [{ TERM: 'foot' }, 'sixel'],
    [{ TERM: 'xterm-256color' }, undefined],
    [{ TERM: 'screen-256color', KITTY_WINDOW_ID: '1' }, undefined],
    [{ TERM: 'xterm-kitty', TMUX: '/tmp/tmux' }, undefined],
  ] as const)('in the protocol of %j: %s', (environment, protocol) => {
    expect(previewProtocol(terminal, environment)).toBe(protocol);
    expect(previewProtocol({}, environment)).toBeUndefined();
  });

  test('Kitty gets the whole picture in pieces', () => {
    const png = Buffer.alloc(10_000, 7);
    const pieces = [...kittyImage(png).matchAll(/\p{Cc}_G([^;]*);(\P{Cc}*)\p{Cc}\\/gu)];
    expect(pieces.map(([, keys]) => keys)).toEqual(['a=T,f=100,q=2,r=6,m=1', 'm=1', 'm=1', 'm=0']);
    expect(pieces.every(([, , piece]) => piece!.length <= 4096)).toBe(true);
    expect(Buffer.from(pieces.map(([, , piece]) => piece).join(''), 'base64')).toEqual(png);
    expect(kittyImage(Buffer.of(1))).toBe('\x1b_Ga=T,f=100,q=2,r=6,m=0;AQ==\x1b\\');
  });

  test('iTerm gets it with its length', () => {
    expect(itermImage(Buffer.of(1, 2, 3))).toBe(
      '\x1b]1337;File=inline=1;size=3;height=6;preserveAspectRatio=1:AQID\x07',
    );
  });

  /** What a terminal would paint. */
  function paintSixels(text: string): { width: number; height: number; pixels: (number[] | undefined)[] } {
    const [, sides, body] = /^\p{Cc}P0;1q"1;1;(\d+;\d+)(\P{Cc}*)\p{Cc}\\$/u.exec(text)!;
    const [width, height] = sides!.split(';').map(Number) as [number, number];
    const pixels: (number[] | undefined)[] = new Array(width * height);
    const palette = new Map<string, number[]>();
    let [x, top, colour] = [0, 0, ''];
    for (const [, number, definition, count, letter, control] of body!.matchAll(
      /#(\d+)(?:;2;(\d+;\d+;\d+))?|(?:!(\d+))?([?-~])|([$-])/g,
    )) {
      if (number !== undefined) {
        colour = number;
        if (definition !== undefined) palette.set(number, definition.split(';').map(Number));
      } else if (letter !== undefined) {
        for (let i = 0; i < Number(count ?? 1); i++, x++) {
          for (let row = 0; row < 6; row++) {
            if (((letter.charCodeAt(0) - 63) >> row) & 1)
              pixels[(top + row) * width + x] = palette.get(colour)!;
          }
        }
      } else {
        x = 0;
        if (control === '-') top += 6;
      }
    }
    return { width, height, pixels };
  }

  test('sixels paint every pixel once, in its colour', () => {
    const [width, height] = [37, 20];
    const data = Uint8Array.from({ length: width * height * 3 }, (_, i) => (i * 7919) % 256);
    const painted = paintSixels(sixelImage({ data, width, height }));
    expect(painted).toMatchObject({ width, height });
    for (let i = 0; i < data.length; i++) {
      const share = painted.pixels[Math.floor(i / 3)]![i % 3]!;
      expect(Math.abs(share / 100 - data[i]! / 255)).toBeLessThan(0.21);
    }
  });

  test.each(['grey.png', 'clear.png', 'cmyk.jpg', 'small.gif'])(
    '%s is shown in every protocol',
    async (name) => {
      const picture = sharp({ create: { width: 50, height: 30, channels: 4, background: '#ff0000' } });
      const bytes = await {
        'grey.png': () => picture.greyscale().png(),
        'clear.png': () =>
          picture
            .composite([
              {
                input: Buffer.of(0, 0, 0, 0),
                raw: { width: 1, height: 1, channels: 4 },
                tile: true,
                blend: 'dest-in',
              },
            ])
            .png(),
        'cmyk.jpg': () => picture.toColourspace('cmyk').jpeg(),
        'small.gif': () => picture.gif(),
      }[name]!().toBuffer();
      const painted = paintSixels((await preview(bytes, 'sixel', name)).trimEnd());
      expect(painted).toMatchObject({ width: 50, height: 30 });
      if (name === 'clear.png') expect(painted.pixels[0]).toEqual([100, 100, 100]);
      expect(await preview(bytes, 'kitty', name)).toMatch(/^\p{Cc}_G.*\p{Cc}\\\n$/su);
      expect(await preview(bytes, 'iterm', name)).toMatch(/^\p{Cc}\]1337;File=.*\p{Cc}\n$/su);
    },
  );
});

describe.skipIf(!existsSync(commandLine))('eidos search prints', () => {
  let folder: string;
  let model: string;
  const eidos = (...args: string[]) => runEidos(folder, args);
  const strange = 'line\nend\x1b[31m "quoted" ü.png';
  beforeAll(async () => {
    model = await writeTinyModel();
    folder = await mkdtemp(join(tmpdir(), 'eidos-search-output-'));
    await writePictures(folder, { 'pictures/a.png': 1, 'pictures/b.png': 2 });
    await mkdir(join(folder, 'pictures/copies'));
    await copyFile(join(folder, 'pictures/a.png'), join(folder, 'pictures/copies/a.png'));
    await writeFile(join(folder, 'pictures', strange), await pictureBytes(3));
    if (process.platform === 'linux') {
      const name = Buffer.concat([
        Buffer.from(join(folder, 'pictures/caf')),
        Buffer.of(0xe9),
        Buffer.from('.png'),
      ]);
      await writeFile(name, await pictureBytes(4));
    }
    expect(eidos('index', 'pictures', '--model', model).status).toBe(0);
  });
  afterAll(async () => {
    await rm(folder, { recursive: true });
    await rm(model, { recursive: true });
  });

  test('copies of one picture once, names that cannot steer the terminal, and neither links nor pictures into a file', () => {
    const { stdout } = eidos('search', 'a dog', '--all');
    const lines = stdout.trimEnd().split('\n');
    expect(lines).toHaveLength(process.platform === 'linux' ? 4 : 3);
    expect(stdout).toContain('a.png (and 1 copy)');
    expect(stdout).toContain('line\\x0Aend\\x1B[31m "quoted" ü.png');
    expect(stdout).not.toContain('\x1b');
    expect(eidos('search', 'a dog', '--all', '--no-collapse').stdout.trimEnd().split('\n')).toHaveLength(
      lines.length + 1,
    );
    const each = printedLines(eidos('search', 'a dog', '--all', '--json').stdout);
    expect(each).toHaveLength(lines.length + 1);
    const together = printedLines(eidos('search', 'a dog', '--all', '--json', '--collapse').stdout);
    expect(together.filter(({ copies }) => copies !== undefined)).toHaveLength(1);
  });

  test('paths that other commands open, whatever they are called', async () => {
    const { stdout } = eidos('search', '--image', 'pictures/b.png', '--paths', '-k', '1');
    expect(stdout).toBe(`${join(folder, 'pictures/b.png')}\n`);
    const { status } = runShell(folder, 'eidos search dog --all -0 | xargs -0 cat | wc -c > total');
    expect(status).toBe(0);
    const all = eidos('search', 'dog', '--all', '--collapse', '--json').stdout;
    const bytes = printedLines(all).reduce((sum, hit) => sum + Number(hit.bytes), 0);
    expect(Number(await readFile(join(folder, 'total'), 'utf8'))).toBe(bytes);
    const groups = eidos('search', '--duplicates', '--paths').stdout;
    expect(groups.trim().split('\n').sort()).toEqual([
      join(folder, 'pictures/a.png'),
      join(folder, 'pictures/copies/a.png'),
    ]);
    expect(eidos('search', 'dog', '--paths', '--json')).toMatchObject({ status: 2 });
  });

  test('links, pictures and the best hit itself where they are asked for', async () => {
    const shown = runShell(folder, 'eidos search --image pictures/b.png -k 1 --preview kitty', {
      environment: { FORCE_HYPERLINK: '1' },
    }).stdout;
    expect(shown.startsWith('\x1b_Ga=T')).toBe(true);
    expect(shown).toContain(`file://${hostname()}${join(folder, 'pictures/b.png')}\x1b\\`);
    if (process.platform !== 'linux') return;
    await mkdir(join(folder, 'bin'));
    await writeFile(join(folder, 'bin/xdg-open'), `#!/bin/sh\nprintf %s "$1" > "${folder}/opened"\n`, {
      mode: 0o755,
    });
    const opening = runShell(folder, 'eidos search --image pictures/b.png --open && sleep 1', {
      environment: { PATH: `${join(folder, 'bin')}:${process.env.PATH}` },
    });
    expect(opening.stderr).toBe('');
    expect(await readFile(join(folder, 'opened'), 'utf8')).toBe(join(folder, 'pictures/b.png'));
  });
});
