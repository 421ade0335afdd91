// The rows of phones and words under the pictures, and what is changed by dragging them.

const EDGE_PIXELS = 8;
const PIXELS_PER_SEMITONE = 8;
const SLOWEST = 0.25;
const FASTEST = 4;
const MOST_SEMITONES = 12;
const NUDGE = 1.15; // what an arrow key does to a length

/** Changes of single phones, by their place among the phones that are spoken. */
export class Changes {
  #byPlace = new Map();

  get(place) {
    return this.#byPlace.get(place) ?? { duration: 1, pitch: 0 };
  }

  /** `duration` is a factor, `pitch` in semitones; each is kept within what the server takes. */
  set(place, { duration, pitch }) {
    const kept = { duration: clamp(duration, 1 / FASTEST, 1 / SLOWEST), pitch: clamp(pitch, -MOST_SEMITONES, MOST_SEMITONES) };
    if (Math.abs(kept.duration - 1) < 0.01 && Math.abs(kept.pitch) < 0.05) this.#byPlace.delete(place);
    else this.#byPlace.set(place, kept);
  }

  clear() {
    this.#byPlace.clear();
  }

  get size() {
    return this.#byPlace.size;
  }

  /** As the server reads them. */
  list() {
    return [...this.#byPlace].map(([index, change]) => ({ index, duration: change.duration, pitch: change.pitch }));
  }
}

/** Fill the row of words; a click plays one. */
export function showWords(row, words, pixelsPerSecond, play) {
  row.replaceChildren(...words.map((word) => {
    const button = placed(word, pixelsPerSecond);
    button.addEventListener("click", () => play(word));
    return button;
  }));
}

/** Fill the row of phones. `changed` is called when one was changed, `play` to hear one. */
export function showPhones(row, phones, pixelsPerSecond, changes, { play, changed }) {
  const spoken = phones.filter((phone) => phone.text);
  row.replaceChildren(...spoken.map((phone, place) => {
    const button = placed(phone, pixelsPerSecond);
    describe(button, phone, changes.get(place));
    dragged(button, phone, place, pixelsPerSecond, changes, changed, play);
    button.addEventListener("keydown", (event) => keyed(event, place, changes, changed, () => play(phone)));
    return button;
  }));
}

function placed(timed, pixelsPerSecond) {
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = timed.text;
  button.style.left = `${timed.start_s * pixelsPerSecond}px`;
  button.style.width = `${Math.max(2, (timed.end_s - timed.start_s) * pixelsPerSecond)}px`;
  return button;
}

function describe(button, phone, change) {
  const lasts = `${Math.round((phone.end_s - phone.start_s) * 1000)} milliseconds`;
  const told = [phone.text, lasts];
  if (change.duration !== 1) told.push(`length times ${change.duration.toFixed(2)}`);
  if (change.pitch) told.push(`pitch ${change.pitch > 0 ? "+" : ""}${change.pitch.toFixed(1)} semitones`);
  button.classList.toggle("changed", told.length > 2);
  button.setAttribute("aria-label", told.join(", "));
  button.title = told.join(", ");
}

function dragged(button, phone, place, pixelsPerSecond, changes, changed, play) {
  button.addEventListener("pointerdown", (down) => {
    const before = changes.get(place);
    const width = (phone.end_s - phone.start_s) * pixelsPerSecond;
    const atEdge = down.offsetX > button.clientWidth - EDGE_PIXELS;
    let after = before;
    button.setPointerCapture(down.pointerId);
    const move = (event) => {
      const right = event.clientX - down.clientX;
      const up = down.clientY - event.clientY;
      after = atEdge
        ? { ...before, duration: before.duration * Math.max(0.1, (width + right) / width) }
        : { ...before, pitch: before.pitch + up / PIXELS_PER_SEMITONE };
      if (atEdge) button.style.width = `${Math.max(2, width + right)}px`;
      else button.style.transform = `translateY(${-up / 4}px)`;
      describe(button, phone, after);
    };
    const up = (event) => {
      button.removeEventListener("pointermove", move);
      const far = Math.hypot(event.clientX - down.clientX, event.clientY - down.clientY);
      if (far < 3) play(phone);
      else {
        changes.set(place, after);
        changed(place);
      }
    };
    button.addEventListener("pointermove", move);
    button.addEventListener("pointerup", up, { once: true });
  });
}

function keyed(event, place, changes, changed, play) {
  const before = changes.get(place);
  const after = {
    ArrowRight: { ...before, duration: before.duration * NUDGE },
    ArrowLeft: { ...before, duration: before.duration / NUDGE },
    ArrowUp: { ...before, pitch: before.pitch + 1 },
    ArrowDown: { ...before, pitch: before.pitch - 1 },
    Delete: { duration: 1, pitch: 0 },
  }[event.key];
  if (after) {
    event.preventDefault();
    changes.set(place, after);
    changed(place);
  } else if (event.key === "Enter" || event.key === " ") {
    event.preventDefault();
    play();
  }
}

function clamp(value, low, high) {
  return Math.min(high, Math.max(low, value));
}
