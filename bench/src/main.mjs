/** `npm run bench`: eidos beside transformers.js, as ratios measured in turn in one run. */
import { parseArgs } from 'node:util';
import { agreement } from './parts/agreement.mjs';
import { bundled } from './parts/bundled.mjs';
import { load } from './parts/load.mjs';
import { memory } from './parts/memory.mjs';
import { preprocessing } from './parts/preprocessing.mjs';
import { throughput } from './parts/throughput.mjs';
import { tower } from './parts/tower.mjs';
import { printHead, printRow, verdict } from './report.mjs';
import { setting } from './setting.mjs';

const parts = { preprocessing, load, memory, tower, agreement, throughput, bundled };

const { values } = parseArgs({
  options: {
    only: { type: 'string', multiple: true },
    rounds: { type: 'string', default: '5' },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', short: 'h', default: false },
  },
});
if (values.help) {
  console.log(`npm run bench -- [options]
  --only PART     one of ${Object.keys(parts).join(', ')}; as often as wanted
  --rounds N      pairs of runs a figure (default 5)
  --json          a figure a line as JSON
Models and pictures are made once and kept in bench/.cache (1.5 GB).`);
  process.exit();
}
const wanted = values.only ?? Object.keys(parts);
for (const name of wanted) {
  if (!Object.hasOwn(parts, name)) {
    console.error(`--only ${name}: the parts are ${Object.keys(parts).join(', ')}`);
    process.exit(2);
  }
}
const rounds = Number(values.rounds);
if (!Number.isInteger(rounds) || rounds < 1) {
  console.error(`--rounds ${values.rounds}: it must be a whole number from 1`);
  process.exit(2);
}

printHead(values.json);
const shared = await setting({ rounds });
let missed = 0;
for (const name of wanted) {
  for await (const row of parts[/** @type {keyof typeof parts} */ (name)](shared)) {
    printRow(row, values.json);
    if (verdict(row) === 'missed') missed++;
  }
}
if (!values.json)
  console.log(`\n${missed === 0 ? 'All targets that were measured are met.' : `${missed} missed.`}`);
