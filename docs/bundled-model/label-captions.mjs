/**
 * Gives the pictures of Flickr8k a class where at least three of their five captions agree on one, so that a loss over
 * names knows people and dogs: node label-captions.mjs FLICKR8K TARGET. Lines and shards stay in their order.
 */
import { mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';

const [from, to] = process.argv.slice(2);
if (from === undefined || to === undefined) {
  console.error('node label-captions.mjs FLICKR8K TARGET');
  process.exit(2);
}

const dog = /\b(dogs?|pupp(y|ies))\b/;
const people = {
  man: /\b(man|guy|gentleman|male)\b/,
  woman: /\b(woman|lady|female)\b/,
  boy: /\bboys?\b/,
  girl: /\bgirls?\b/,
  child: /\b(child|children|kids?|toddlers?|baby)\b/,
  people: /\b(people|men|women|group|crowd|couple)\b/,
};
const anybody =
  /\b(man|men|guy|woman|women|lady|boys?|girls?|child|children|kids?|toddlers?|baby|people|person|player|rider|biker|skier|surfer|climber|snowboarder|skateboarder|hiker|crowd|couple)\b/;

/** @param {string[]} captions */
function labelOf(captions) {
  const said = (/** @type {RegExp} */ words) =>
    captions.filter((caption) => words.test(caption.toLowerCase())).length;
  if (said(dog) >= 3 && said(anybody) < 2) return 'dog';
  if (said(anybody) < 3 || said(dog) >= 2) return undefined;
  const [most] = Object.entries(people)
    .map(([label, words]) => ({ label, times: said(words) }))
    .sort((a, b) => b.times - a.times);
  return most !== undefined && most.times >= 3 ? most.label : 'person';
}

await mkdir(to, { recursive: true });
for (const name of await readdir(from)) {
  if (name.endsWith('.tar')) await symlink(resolve(from, name), join(to, name));
}
const lines = (await readFile(join(from, 'index.jsonl'), 'utf8')).split('\n').filter((line) => line !== '');
const labelled = lines.map((line) => {
  const row = JSON.parse(line);
  const label = labelOf(row.en ?? []);
  return JSON.stringify(label === undefined ? row : { ...row, label });
});
await writeFile(join(to, 'index.jsonl'), `${labelled.join('\n')}\n`);
