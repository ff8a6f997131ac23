/**
 * `node scripts/bundled-data/gather.mjs NAME PLACE --to FOLDER`: turns a source of pictures with words into a folder that
 * the trainer reads (docs/training-data.md, an index file). PLACE is the git directory of the repository, or the folder
 * that its package was unpacked in; nothing is fetched.
 */
import { parseArgs } from 'node:util';
import { createDataFolder } from './data-folder.mjs';
import { sources as firstSources } from './sources.mjs';
import { moreSources } from './more-sources.mjs';
import { openTree } from './tree.mjs';

const sources = { ...firstSources, ...moreSources };
const { positionals, values } = parseArgs({ allowPositionals: true, options: { to: { type: 'string' } } });
const [name = '', place] = positionals;
const source = sources[name];
if (source === undefined || place === undefined || values.to === undefined) {
  console.error('node scripts/bundled-data/gather.mjs NAME PLACE --to FOLDER, where NAME is one of');
  for (const [key, { from, version }] of Object.entries(sources)) {
    console.error(`  ${key.padEnd(20)} ${from} @ ${version.slice(0, 12)}`);
  }
  process.exit(2);
}

const tree = await openTree(place, /^[0-9a-f]{12,40}$/.test(source.version) ? source.version : undefined);
const folder = await createDataFolder(values.to);
/** @type {string[]} */
const broken = [];
for await (const { name: file, picture, words } of source.read(tree)) {
  try {
    const { bytes, ending } = await picture();
    await folder.add(`${file}.${ending}`, bytes, words);
  } catch (error) {
    broken.push(`${file}: ${error instanceof Error ? error.message : error}`);
  }
}
const count = await folder.close();
console.log(`${values.to}: ${count} pictures of ${source.from}; ${broken.length} broken.`);
for (const reason of broken.slice(0, 20)) console.log(`  ${reason}`);
