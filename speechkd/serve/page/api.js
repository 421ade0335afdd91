// What the page asks of the server.

export const SAMPLE_BYTES = 2;

/** The voices, the default one first. */
export async function voices() {
  const answer = await checked(await fetch("v1/voices"));
  return (await answer.json()).data;
}

/** Speech in pieces as they are made: {samples, sample_rate, start_s, words, phones}. Stops when `signal` aborts. */
export async function* stream(request, signal) {
  const body = { ...request, format: "pcm", stream: true, timestamps: true };
  const answer = await checked(await post(body, signal));
  let rest = "";
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  for (;;) {
    const { done, value } = await reader.read();
    const lines = (rest + (value ?? "")).split("\n");
    rest = lines.pop();
    for (const line of lines) if (line) yield piece(JSON.parse(line));
    if (done) break;
  }
  if (rest) yield piece(JSON.parse(rest));
}

/** The whole as a file of a format. */
export async function file(request, format) {
  const answer = await checked(await post({ ...request, format }));
  return answer.blob();
}

function post(body, signal) {
  const headers = { "content-type": "application/json" };
  return fetch("synthesize", { method: "POST", headers, body: JSON.stringify(body), signal });
}

async function checked(answer) {
  if (answer.ok) return answer;
  let message = `the server answered ${answer.status}`;
  try {
    message = (await answer.json()).error.message;
  } catch {
    // An answer without a JSON body: its number must do.
  }
  throw new Error(message);
}

function piece(line) {
  const bytes = Uint8Array.from(atob(line.audio), (c) => c.charCodeAt(0));
  const view = new DataView(bytes.buffer);
  const samples = new Float32Array(bytes.length / SAMPLE_BYTES);
  for (let i = 0; i < samples.length; i++) samples[i] = view.getInt16(i * SAMPLE_BYTES, true) / 32768;
  return { ...line, samples };
}
