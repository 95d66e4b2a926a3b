// Follows the events of one answer, across lost connections, until it has ended.

import { EventSourceParserStream } from "eventsource-parser/stream";

const PAUSES = [500, 1000, 2000, 5000, 10000]; // milliseconds between attempts

// Calls told.text(piece, at) and told.thought(piece, at) as the answer grows, `at` being the place reached, and returns the last event: { name: "end" | "error", data }.
// told.waiting(yes) says whether the connection is away. Throws Gone when there is nothing to follow any more.
export async function follow(url, after, told, signal) {
  let at = String(after);
  for (let attempt = 0; ; attempt += 1) {
    try {
      for await (const event of eventsOf(url, at, signal)) {
        if (attempt) told.waiting(false);
        attempt = 0;
        at = event.id ?? at;
        const data = JSON.parse(event.data);
        if (event.event !== "text" && event.event !== "thought") return { name: event.event, data };
        told[event.event](data.text, at);
      }
    } catch (error) {
      if (error instanceof Gone || signal?.aborted) throw error;
    }
    told.waiting(true);
    await pause(PAUSES[Math.min(attempt, PAUSES.length - 1)], signal);
  }
}

export class Gone extends Error {}

async function* eventsOf(url, at, signal) {
  const headers = { Accept: "text/event-stream", "Last-Event-ID": at };
  const response = await fetch(url, { headers, signal, cache: "no-store", redirect: "error" });
  if (response.status >= 400 && response.status < 500) throw new Gone(String(response.status));
  if (!response.ok) throw new Error(String(response.status));
  const events = response.body.pipeThrough(new TextDecoderStream()).pipeThrough(new EventSourceParserStream());
  const reader = events.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield value;
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}

function pause(milliseconds, signal) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, milliseconds);
    signal?.addEventListener("abort", () => (clearTimeout(timer), reject(signal.reason)), { once: true });
  });
}
