/**
 * `node scripts/bundled-data/gather.mjs NAME PLACE … --to FOLDER`: turns a source of pictures with words into a folder that
 * the trainer reads (docs/training-data.md, an index file). PLACE is the git directory of a repository, or the folder that
 * a package was unpacked in, one for each that the source is made from; nothing is fetched.
 */
import { parseArgs } from 'node:util';
import { createDataFolder } from './data-folder.mjs';
import { sources } from './sources.mjs';
import { openTree } from './tree.mjs';

const { positionals, values } = parseArgs({ allowPositionals: true, options: { to: { type: 'string' } } });
const [name = '', ...places] = positionals;
const source = sources[name];
if (source === undefined || places.length !== source.from.length || values.to === undefined) {
  console.error('node scripts/bundled-data/gather.mjs NAME PLACE … --to FOLDER, where NAME is one of');
  for (const [key, { from }] of Object.entries(sources)) {
    console.error(
      `  ${key.padEnd(20)} ${from.map(({ place, version }) => `${place} @ ${version}`).join('; ')}`,
    );
  }
  process.exit(2);
}

const trees = await Promise.all(places.map((place, at) => openTree(place, source.from[at]?.version)));
const folder = await createDataFolder(values.to);
/** @type {string[]} */
const broken = [];
for await (const { name: file, picture, words } of source.read(...trees)) {
  try {
    const { bytes, ending } = await picture();
    await folder.add(`${file}.${ending}`, bytes, words);
  } catch (error) {
    broken.push(`${file}: ${error instanceof Error ? error.message : error}`);
  }
}
const count = await folder.close();
console.log(`${values.to}: ${count} pictures; ${broken.length} broken.`);
for (const reason of broken.slice(0, 20)) console.log(`  ${reason}`);
