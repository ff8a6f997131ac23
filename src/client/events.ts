/** Server-sent events, read from an answer: `fetch` may send a key with its request, EventSource may not. */

export interface ServerEvent {
  name: string;
  data: string;
}

/** The events of an answer, as they come. A last one that is not ended by an empty line is none. */
export async function* readEvents(body: ReadableStream<Uint8Array>): AsyncGenerator<ServerEvent> {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let text = '';
  try {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      text += decoder.decode(value, { stream: true });
      const events = text.split(/\r?\n\r?\n/);
      text = events.pop() ?? '';
      // A comment alone, as a sign of life, is no event.
      for (const event of events) if (/^(event|data)/m.test(event)) yield parseEvent(event);
    }
  } finally {
    // The server learns that nobody listens any more.
    await reader.cancel().catch(() => {});
  }
}

function parseEvent(text: string): ServerEvent {
  const event: ServerEvent = { name: 'message', data: '' };
  const lines: string[] = [];
  for (const line of text.split(/\r?\n/)) {
    const { field, value } = /^(?<field>[^:]*):? ?(?<value>.*)$/.exec(line)?.groups ?? {};
    if (field === 'event') event.name = value ?? '';
    else if (field === 'data') lines.push(value ?? '');
  }
  return { ...event, data: lines.join('\n') };
}
