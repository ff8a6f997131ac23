/**
 * Makes docs/models.md: which published models are read as they lie, from the names and shapes of their tensors
 * (`headers.jsonl.gz`, a line a model). `node scripts/models-table.mjs HEADERS`, after `npm run build`.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { addConfiguration } from '../dist/checkpoint/configuration/find.js';
import { architectureFromShapes } from '../dist/checkpoint/layouts/table.js';
import { parameterCount } from '../dist/checkpoint/parameters.js';
import { operationsOf } from '../dist/tasks/inspect/inspect.js';

const [file] = process.argv.slice(2);
if (file === undefined) throw new Error('Name the file of headers.');
const models = gunzipSync(readFileSync(file))
  .toString()
  .trim()
  .split('\n')
  .map((line) => JSON.parse(line));

/** @param {{ name: string, family: string, config: object, tensors: Record<string, [string, number[]]> }} model */
function rowOf({ config, tensors, name, family }) {
  try {
    const found = {};
    if (Object.keys(config).length > 0) addConfiguration(found, config, 'config.json');
    const shapes = new Map(Object.entries(tensors).map(([tensor, [, shape]]) => [tensor, shape]));
    const { architecture, layout } = architectureFromShapes(shapes, found);
    const { image, text } = operationsOf(architecture);
    const cells = [
      name,
      layout,
      architecture.embeddingSize,
      `${(parameterCount(architecture) / 1e6).toFixed(1)} M`,
      `${(image / 1e9).toFixed(1)} / ${(text / 1e9).toFixed(1)}`,
    ];
    return { family, row: `| ${cells.join(' | ')} |` };
  } catch (error) {
    return { family, refused: `| ${name} | ${String(/** @type {Error} */ (error).message)} |` };
  }
}

const rows = models.map(rowOf);
/** @type {Map<string, typeof rows>} */
const families = new Map();
for (const one of rows) families.set(one.family, [...(families.get(one.family) ?? []), one]);

const read = rows.filter(({ row }) => row !== undefined).length;
const parts = [...families].map(([family, own]) => {
  const known = own.flatMap(({ row }) => row ?? []);
  if (known.length === 0) return '';
  return `## ${family}\n| model | layout | embedding | parameters | GFLOP a picture / a sentence |\n| --- | --- | --- | --- | --- |\n${known.join('\n')}\n`;
});
const refused = rows.flatMap(({ refused: one }) => one ?? []);
writeFileSync(
  new URL('../docs/models.md', import.meta.url),
  `# Published models
Which models are read as they lie: every configuration of open_clip 3.3.0, the models of openai/CLIP, and well-known ones of
Hugging Face, by the names and shapes of their tensors and their configuration. ${read} of ${rows.length} are found as what they are, with the
original's number of parameters (\`test/checkpoint/headers.test.ts\`); outputs of each family are compared in
[parity.md](parity.md). Made by \`node scripts/models-table.mjs\`. CLIPSeg's CLIP is found by \`inspect\`, and refused where it would be
used without its decoder.

${parts.filter(Boolean).join('\n')}
## Refused, with the reason
| model | reason |
| --- | --- |
${refused.join('\n')}
`,
);
