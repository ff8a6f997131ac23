/**
 * Searching, measured: syncs of many pictures, queries over many vectors beside LanceDB's own search and usearch, and
 * `eidos search` as a whole process. `npm run bench:search -- --help`.
 */
import { spawnSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { cpus, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { checkpoints, scoring, searching } from './eidos.mjs';
import { writeJpegs } from './search-pictures.mjs';
import { clusters, nearest, recall } from './search-vectors.mjs';

const { values: options } = parseArgs({
  options: {
    only: { type: 'string', multiple: true },
    pictures: { type: 'string', default: '10000' },
    sizes: { type: 'string', default: '10000,100000,1000000' },
    width: { type: 'string', default: '192' },
    queries: { type: 'string', default: '50' },
    model: { type: 'string' },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});

if (options.help) {
  console.log(`npm run bench:search -- [--only sync|query|process] [--pictures 10000] [--sizes 10000,100000,1000000]
  [--width 192] [--queries 50] [--model MODEL] [--json]

sync     pictures of 256 × 192 in a folder: cold, unchanged, one in a hundred changed; the share outside of the network
query    unit vectors of 2,000 clusters: milliseconds of a query and recall@10, the bytes a second that it reads; LanceDB
         and usearch beside it up to 100,000 and 10,000
process  "eidos search" from the shell to the answer`);
  process.exit(0);
}

const parts = { sync: measureSync, query: measureQueries, process: measureProcess };
const wanted = options.only ?? Object.keys(parts);
const folder = await mkdtemp(join(tmpdir(), 'eidos-bench-search-'));
const load = loadavg().map((value) => value.toFixed(1));
say({
  machine: `${cpus().length} × ${cpus()[0]?.model.trim()}`,
  node: process.versions.node,
  load: load.join(' '),
});
try {
  for (const name of wanted) {
    if (!Object.hasOwn(parts, name))
      throw new Error(`--only ${name}: there are ${Object.keys(parts).join(', ')}`);
    await parts[/** @type {keyof typeof parts} */ (name)]();
  }
} finally {
  await rm(folder, { recursive: true, force: true });
}

/** @param {Record<string, unknown>} row */
function say(row) {
  if (options.json) console.log(JSON.stringify(row));
  else
    console.log(
      Object.entries(row)
        .map(([name, value]) => `${name} ${typeof value === 'number' ? Number(value.toPrecision(4)) : value}`)
        .join(', '),
    );
}

async function pictureFolder() {
  const pictures = join(folder, 'pictures');
  await writeJpegs(pictures, Number(options.pictures), 0);
  return pictures;
}

async function measureSync() {
  const { openIndex } = await searching();
  const pictures = await pictureFolder();
  const index = await openIndex(join(folder, 'index'), { model: options.model, create: true });
  const report = async (/** @type {string} */ state) => {
    const { seconds, secondsOutsideNetwork, ...counts } = await index.sync([pictures]);
    say({
      part: 'sync',
      state,
      pictures: counts.pictures,
      seconds,
      perSecond: counts.pictures / seconds,
      outsideNetwork: `${((100 * secondsOutsideNetwork) / seconds).toFixed(1)} %`,
    });
  };
  await report('cold');
  await report('unchanged');
  await writeJpegs(pictures, Math.ceil(Number(options.pictures) / 100), 1_000_000);
  await report('1 % changed');
  await index.close();
}

async function measureProcess() {
  const index = join(folder, 'index');
  const { openIndex } = await searching();
  const opened = await openIndex(index, { model: options.model, create: true });
  await opened.sync([join(folder, 'pictures')]).catch(async () => opened.sync([await pictureFolder()]));
  await opened.close();
  const command = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));
  const times = [];
  for (let round = 0; round < 7; round++) {
    const begun = performance.now();
    const { status, stderr } = spawnSync(
      process.execPath,
      [command, 'search', 'a dog in the snow', '--index', index, '--all', '--json'],
      { encoding: 'utf8' },
    );
    if (status !== 0) throw new Error(stderr);
    times.push(performance.now() - begun);
  }
  say({ part: 'process', pictures: Number(options.pictures), ...milliseconds(times) });
}

async function measureQueries() {
  const width = Number(options.width);
  for (const size of options.sizes.split(',').map(Number)) {
    const { vectors, queries } = clusters(size, width, Number(options.queries));
    const truth = queries.map((query) => nearest(vectors, query, 10));
    await measureEidos(vectors, queries, truth, width);
    if (size <= 100_000) await measureLance(vectors, queries, truth, width);
    if (size <= 10_000) await measureUsearch(vectors, queries, truth, width);
  }
}

/**
 * @param {Float32Array} vectors @param {Float32Array[]} queries @param {number[][]} truth @param {number} width
 */
async function measureEidos(vectors, queries, truth, width) {
  const { writeSafetensors, openWeights } = await checkpoints();
  const { createScorer, createScoringEngine, bestRows } = await scoring();
  const file = join(folder, 'vectors.safetensors');
  const rows = vectors.length / width;
  await writeSafetensors(file, [{ name: 'vectors', type: 'float32', shape: [rows, width], data: vectors }]);
  const matrix = (await openWeights(file)).tensors.get('vectors');
  if (matrix === undefined) throw new Error('The matrix was not written.');
  const engine = createScoringEngine();
  const scorer = createScorer(matrix, () => engine);
  const times = [];
  const found = [];
  await scorer.score({ data: queries[0] ?? new Float32Array(width), shape: [1, width] }); // opens the matrix
  for (const query of queries) {
    const begun = performance.now();
    const { data } = await scorer.score({ data: query, shape: [1, width] });
    found.push(bestRows(data, 10).rows);
    times.push(performance.now() - begun);
  }
  const { p50, p95 } = milliseconds(times);
  const gigabytes = (vectors.byteLength / 1e6 / p50).toFixed(1);
  say({ part: 'query', by: 'eidos', rows, width, p50, p95, recall: recall(found, truth), 'GB/s': gigabytes });
  await scorer.close();
  await engine.close();
  await rm(file);
}

/** @param {Float32Array} vectors @param {Float32Array[]} queries @param {number[][]} truth @param {number} width */
async function measureLance(vectors, queries, truth, width) {
  const require = createRequire(new URL('../../package.json', import.meta.url));
  const lance = require('@lancedb/lancedb');
  const connection = await lance.connect(join(folder, 'lance'));
  const rows = vectors.length / width;
  let table;
  for (let start = 0; start < rows; start += 10_000) {
    const some = Array.from({ length: Math.min(10_000, rows - start) }, (_, i) => ({
      row: start + i,
      vector: Array.from(vectors.subarray((start + i) * width, (start + i + 1) * width)),
    }));
    if (table === undefined) table = await connection.createTable('vectors', some, { mode: 'overwrite' });
    else await table.add(some);
  }
  if (table === undefined) throw new Error('There are no vectors to search.');
  const times = [];
  const found = [];
  for (const query of queries) {
    const begun = performance.now();
    const hits = await table
      .vectorSearch(query)
      .distanceType('cosine')
      .select(['row', '_distance'])
      .limit(10)
      .toArray();
    found.push(hits.map((/** @type {{ row: number }} */ { row }) => row));
    times.push(performance.now() - begun);
  }
  say({
    part: 'query',
    by: 'LanceDB exact',
    rows,
    width,
    ...milliseconds(times),
    recall: recall(found, truth),
  });
  await connection.dropTable('vectors');
}

/** @param {Float32Array} vectors @param {Float32Array[]} queries @param {number[][]} truth @param {number} width */
async function measureUsearch(vectors, queries, truth, width) {
  /** @type {{ Index: new (options: object) => { add(keys: BigUint64Array, vectors: Float32Array): void, search(query: Float32Array, count: number, threads: number): { keys: BigUint64Array } } }} */
  let usearch;
  try {
    usearch = createRequire(import.meta.url)('usearch');
  } catch {
    say({
      part: 'query',
      by: 'usearch',
      note: 'not installed: npm install --no-save usearch@2.25.3 in bench',
    });
    return;
  }
  const rows = vectors.length / width;
  const index = new usearch.Index({ metric: 'cos', dimensions: width, quantization: 'f32' });
  const begun = performance.now();
  index.add(
    BigUint64Array.from({ length: rows }, (_, row) => BigInt(row)),
    vectors,
  );
  const build = (performance.now() - begun) / 1000;
  const times = [];
  const found = [];
  for (const query of queries) {
    const start = performance.now();
    const { keys } = index.search(query, 10, 1);
    times.push(performance.now() - start);
    found.push(Array.from(keys, Number));
  }
  say({
    part: 'query',
    by: 'usearch',
    rows,
    width,
    build,
    ...milliseconds(times),
    recall: recall(found, truth),
  });
}

/** @param {number[]} times */
function milliseconds(times) {
  const sorted = [...times].sort((a, b) => a - b);
  const at = (/** @type {number} */ share) =>
    sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0;
  return { p50: at(0.5), p95: at(0.95) };
}
