/** `npm run demo:picture`: draws the demo's answer as docs/demo.svg, for the README. */
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './install.mjs';

const fontSize = 14;
const lineHeight = 19;
const characterWidth = 8.43;
const margin = 20;

const { status, stdout } = spawnSync(process.execPath, [join(root, 'scripts/demo.mjs')], {
  cwd: root,
  encoding: 'utf8',
  stdio: ['ignore', 'pipe', 'inherit'],
});
if (status !== 0) process.exit(status ?? 1);
const lines = ['$ npm run demo', ...stdout.trimEnd().split('\n')];
writeFileSync(join(root, 'docs/demo.svg'), draw(lines));
console.log('docs/demo.svg');

/**
 * A dark sheet with the lines of a terminal; bars in a colour of their own.
 * @param {string[]} lines
 */
function draw(lines) {
  const width = Math.ceil(Math.max(...lines.map((line) => [...line].length)) * characterWidth) + 2 * margin;
  const height = lines.length * lineHeight + 2 * margin;
  const rows = lines.map((line, i) => {
    const y = margin + (i + 0.75) * lineHeight;
    return `<text x="${margin}" y="${y}">${coloured(line)}</text>`;
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="img" aria-label="What npm run demo prints">
<rect width="100%" height="100%" rx="8" fill="#1b1f27"/>
<g font-family="ui-monospace, Menlo, Consolas, 'DejaVu Sans Mono', monospace" font-size="${fontSize}" fill="#d6dae2" xml:space="preserve">
${rows.join('\n')}
</g>
</svg>
`;
}

/** @param {string} line */
function coloured(line) {
  const escaped = line.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
  return escaped
    .replace(/[█▏▎▍▌▋▊▉]+/g, '<tspan fill="#7cb7ff">$&</tspan>')
    .replace(/[·░]+/g, '<tspan fill="#454c5a">$&</tspan>');
}
