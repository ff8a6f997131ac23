/** Server-sent events are read the same however the network cuts them. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { readEvents, type ServerEvent } from '../../src/client/events.ts';

async function eventsOf(chunks: readonly Uint8Array[]): Promise<ServerEvent[]> {
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      for (const chunk of chunks) controller.enqueue(chunk);
      controller.close();
    },
  });
  const events: ServerEvent[] = [];
  for await (const event of readEvents(body)) events.push(event);
  return events;
}

const text = [
  'event: progress\ndata: {"done":1}\n\n',
  ': still here\n\n',
  'data: zwei\ndata: Zeilen für 🐕\n\n',
  'event: done\r\ndata: {}\r\n\r\n',
  'event: cut\ndata: never ended',
].join('');

const expected = [
  { name: 'progress', data: '{"done":1}' },
  { name: 'message', data: 'zwei\nZeilen für 🐕' },
  { name: 'done', data: '{}' },
];

test('events, comments, several lines, both line ends, and one that is cut off', async () => {
  const bytes = new TextEncoder().encode(text);
  expect(await eventsOf([bytes])).toEqual(expected);
  const cuts = fc.uniqueArray(fc.integer({ min: 0, max: bytes.length }), { maxLength: 12 });
  const property = fc.asyncProperty(cuts, async (places) => {
    const ends = [...places.sort((a, b) => a - b), bytes.length];
    const chunks = ends.map((end, i) => bytes.slice(ends[i - 1] ?? 0, end));
    expect(await eventsOf(chunks)).toEqual(expected);
  });
  await fc.assert(property, { numRuns: 200, endOnFailure: true });
});

test('who stops reading tells the server', async () => {
  let isCancelled = false;
  const body = new ReadableStream<Uint8Array>({
    pull: (controller) => controller.enqueue(new TextEncoder().encode('data: on\n\n')),
    cancel() {
      isCancelled = true;
    },
  });
  for await (const { data } of readEvents(body)) {
    expect(data).toBe('on');
    break;
  }
  expect(isCancelled).toBe(true);
});
