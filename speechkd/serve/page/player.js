// Plays pieces one behind the other while more of them arrive, and stretches of what is there.

const LEAD_S = 0.04;

export class Player {
  #context = null;
  #sources = new Set();
  #next = 0; // when the next piece begins, on the context's clock
  #begun = 0;
  #offset = 0; // where in the sound it was begun

  /** Called with a click or a key: browsers let nothing sound before one. */
  async ready(sampleRate) {
    if (!this.#context || this.#context.sampleRate !== sampleRate) {
      await this.#context?.close();
      this.#context = new AudioContext({ sampleRate });
    }
    await this.#context.resume();
  }

  /** Begin a sound of which pieces will come. */
  begin() {
    this.stop();
    this.#next = this.#begun = this.#context.currentTime + LEAD_S;
    this.#offset = 0;
  }

  /** Play samples behind what was given before. */
  add(samples) {
    if (!samples.length) return;
    const buffer = this.#context.createBuffer(1, samples.length, this.#context.sampleRate);
    buffer.copyToChannel(samples, 0);
    const source = this.#context.createBufferSource();
    source.buffer = buffer;
    source.connect(this.#context.destination);
    this.#next = Math.max(this.#next, this.#context.currentTime);
    source.start(this.#next);
    this.#next += buffer.duration;
    this.#sources.add(source);
    source.onended = () => this.#sources.delete(source);
  }

  /** Play a stretch of a sound. */
  stretch(samples, startS, endS) {
    const rate = this.#context.sampleRate;
    this.begin();
    this.#offset = startS;
    this.add(samples.subarray(Math.round(startS * rate), Math.round(endS * rate)));
  }

  /** Where the sound is, in seconds; null when nothing is heard. */
  get position() {
    if (!this.#sources.size) return null;
    return Math.max(0, this.#context.currentTime - this.#begun) + this.#offset;
  }

  stop() {
    for (const source of this.#sources) source.stop();
    this.#sources.clear();
  }
}
