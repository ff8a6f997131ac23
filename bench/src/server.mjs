/**
 * The server under 64 clients against one at a time, and against itself without joining requests: each in turn, several
 * times, and only ratios of neighbours count. `npm run bench:server -- --help`
 */
import { spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { Agent, request } from 'node:http';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { printHead, printRow } from './report.mjs';
import { median } from './rounds.mjs';

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '4' },
    model: { type: 'string', default: 'eidos-small' },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', short: 'h', default: false },
  },
});
if (values.help) {
  console.log(`npm run bench:server -- [options]
  --rounds N      how often each is measured (default 5)
  --seconds N     how long at a time (default 4)
  --model MODEL   what the server answers with (default eidos-small)
  --json          a figure a line as JSON`);
  process.exit();
}
const clients = 64;
const rounds = Number(values.rounds);
const milliseconds = Number(values.seconds) * 1000;

const photograph = await readFile(new URL('../../examples/photographs/two-dogs.jpg', import.meta.url));
const picture = `data:image/jpeg;base64,${photograph.toString('base64')}`;
const inputs = {
  text: () => `a photo of ${Math.floor(Math.random() * 1e6)} dogs in the snow`,
  picture: () => picture,
};

/** @typedef {{ perSecond: number, p50: number, p99: number }} Load */

printHead(values.json);
const joining = await startProcess(32);
const alone = await startProcess(1);
for (const [kind, input] of Object.entries(inputs)) {
  /** @type {{ many: Load, one: Load, unjoined: Load }[]} */
  const measured = [];
  // Once without counting: programs are compiled when they are first needed.
  for (const { url } of [joining, alone]) await load(url, clients, input, milliseconds / 4);
  for (let round = 0; round < rounds; round++) {
    measured.push({
      one: await load(joining.url, 1, input, milliseconds),
      many: await load(joining.url, clients, input, milliseconds),
      unjoined: await load(alone.url, clients, input, milliseconds),
    });
  }
  const middle = (/** @type {(all: typeof measured[number]) => number} */ pick) => median(measured.map(pick));
  const told = (/** @type {'many' | 'one' | 'unjoined'} */ which) =>
    `${middle((all) => all[which].perSecond).toFixed(0)}/s, p50 ${middle((all) => all[which].p50).toFixed(1)} ms, p99 ${middle((all) => all[which].p99).toFixed(1)} ms`;
  printRow(
    {
      metric: `${kind} embeddings: ${clients} clients against one at a time, times the throughput`,
      value: middle(({ many, one }) => many.perSecond / one.perSecond),
      target: 2,
      atLeast: true,
      detail: `${clients} clients ${told('many')}; one ${told('one')}`,
    },
    values.json,
  );
  printRow(
    {
      metric: `${kind} embeddings: joined against unjoined at ${clients} clients, times the throughput`,
      value: middle(({ many, unjoined }) => many.perSecond / unjoined.perSecond),
      target: 1,
      atLeast: true,
      detail: `unjoined ${told('unjoined')}`,
    },
    values.json,
  );
}
joining.end();
alone.end();

/**
 * Clients that ask again as soon as they are answered.
 * @param {string} url @param {number} count @param {() => string} input @param {number} time
 * @returns {Promise<Load>}
 */
async function load(url, count, input, time) {
  const agent = new Agent({ keepAlive: true, maxSockets: count });
  const began = performance.now();
  /** @type {number[]} */
  const latencies = [];
  const client = async () => {
    while (performance.now() - began < time) {
      const asked = performance.now();
      await ask(`${url}/v1/embeddings`, { input: input(), encoding_format: 'base64' }, agent);
      latencies.push(performance.now() - asked);
    }
  };
  await Promise.all(Array.from({ length: count }, client));
  const seconds = (performance.now() - began) / 1000;
  agent.destroy();
  latencies.sort((a, b) => a - b);
  const at = (/** @type {number} */ share) =>
    latencies[Math.floor((latencies.length - 1) * share)] ?? Number.NaN;
  return { perSecond: latencies.length / seconds, p50: at(0.5), p99: at(0.99) };
}

/** @param {string} url @param {object} json @param {Agent} agent @returns {Promise<void>} */
function ask(url, json, agent) {
  const body = JSON.stringify(json);
  const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) };
  return new Promise((resolve, reject) => {
    request(url, { method: 'POST', agent, headers }, (response) => {
      response.resume();
      response.on('end', () =>
        response.statusCode === 200 ? resolve() : reject(new Error(`status ${response.statusCode}`)),
      );
    })
      .on('error', reject)
      .end(body);
  });
}

/** @param {number} batchSize @returns {Promise<{ url: string, end: () => void }>} */
async function startProcess(batchSize) {
  const script = fileURLToPath(new URL('server-process.mjs', import.meta.url));
  const server = spawn(process.execPath, [script, '--batch', String(batchSize), '--model', values.model], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  for await (const url of createInterface({ input: server.stdout })) {
    return { url, end: () => server.stdin.end() };
  }
  throw new Error('The server did not start.');
}
