/** A server in a process of its own: prints its address, ends with its input. */
import { parseArgs } from 'node:util';

const dist = new URL('../../dist/', import.meta.url);
/** @type {typeof import('../../src/index.ts')} */
const { loadClip } = await import(new URL('index.js', dist).href);
/** @type {typeof import('../../src/server/index.ts')} */
const { startServer } = await import(new URL('server/index.js', dist).href);

const { values } = parseArgs({
  options: { batch: { type: 'string', default: '32' }, model: { type: 'string', default: 'eidos-small' } },
});
const clip = await loadClip(values.model);
const server = await startServer({ clip, port: 0, limits: { batchSize: Number(values.batch) } });
console.log(server.url);
process.stdin.resume().on('end', async () => {
  await server.close();
  await clip.close();
});
