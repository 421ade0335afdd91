// The page: what is asked, what is heard, what is seen.

import { file, stream, voices } from "./api.js";
import { Changes, showPhones, showWords } from "./phones.js";
import { analyse, drawSpectrogram, drawWave, extent } from "./picture.js";
import { Player } from "./player.js";

const SLIDERS = [
  { name: "speed", label: "Speed", low: 0.25, high: 4, neutral: 1, step: 0.05, unit: "×" },
  { name: "pitch", label: "Pitch", low: -12, high: 12, neutral: 0, step: 0.5, unit: " semitones" },
  { name: "energy", label: "Energy", low: 0.25, high: 4, neutral: 1, step: 0.05, unit: "×" },
  { name: "volume", label: "Volume", low: 0, high: 4, neutral: 1, step: 0.05, unit: "×" },
  { name: "pauses", label: "Pauses", low: 0, high: 4, neutral: 1, step: 0.1, unit: "×" },
];
const at = (id) => document.getElementById(id);
const player = new Player();
const changes = new Changes();
let known = [];
let sound = null; // {samples, sampleRate, words, phones, analysis}
let running = null; // the AbortController of a request on its way
let focused = null; // the place of the phone that was changed by keyboard, to find it again

function makeSliders() {
  for (const slider of SLIDERS) {
    const box = document.createElement("div");
    box.className = "slider";
    const label = document.createElement("label");
    label.htmlFor = slider.name;
    label.textContent = slider.label;
    const output = document.createElement("output");
    output.htmlFor = slider.name;
    const input = document.createElement("input");
    Object.assign(input, { id: slider.name, type: "range", min: slider.low, max: slider.high, step: slider.step });
    const show = () => {
      output.textContent = `${Number(input.value)}${slider.unit}`;
      input.setAttribute("aria-valuetext", output.textContent);
    };
    input.addEventListener("input", show);
    slider.set = (value) => {
      input.value = value;
      show();
    };
    slider.set(slider.neutral);
    box.append(label, output, input);
    at("sliders").append(box);
  }
}

/** What the form asks for; a control that is neutral is left out, as not every voice has every control. */
function request() {
  const text = at("text").value;
  const asked = text.trimStart().startsWith("<speak") ? { ssml: text } : { text };
  asked.voice = at("voice").value;
  for (const { name, neutral } of SLIDERS) {
    const value = Number(at(name).value);
    if (value !== neutral) asked[name] = value;
  }
  asked.seed = Number(at("seed").value) || 0;
  if (at("speaker").value) asked.speaker = at("speaker").value;
  if (at("steps").value) asked.steps = Number(at("steps").value);
  if (changes.size) asked.phones = changes.list();
  return asked;
}

/** Speak what the form asks for; `place` is that of a phone that was changed: then only its word is played. */
async function speak(place = null) {
  running?.abort();
  const mine = (running = new AbortController());
  const voice = known.find((each) => each.name === at("voice").value);
  say("Speaking …");
  enable({ stop: true });
  const begun = performance.now();
  let firstS = null;
  const parts = [];
  try {
    await player.ready(voice.sample_rate);
    player.begin();
    for await (const piece of stream(request(), mine.signal)) {
      firstS ??= (performance.now() - begun) / 1000;
      if (place === null) player.add(piece.samples);
      parts.push(piece);
    }
    show(joined(parts, voice.sample_rate));
    const lasts = sound.samples.length / sound.sampleRate;
    if (place !== null) play(wordOf(place));
    say(`${lasts.toFixed(2)} seconds of speech; first sound after ${Math.round(firstS * 1000)} ms.`);
  } catch (error) {
    if (error.name === "AbortError") say("Stopped.");
    else say(error.message, true);
  } finally {
    if (running === mine) running = null;
    enable({ stop: player.position !== null });
  }
}

function joined(parts, sampleRate) {
  const samples = new Float32Array(parts.reduce((sum, part) => sum + part.samples.length, 0));
  const [words, phones] = [[], []];
  let place = 0;
  for (const part of parts) {
    samples.set(part.samples, place);
    place += part.samples.length;
    const later = (timed) => ({ ...timed, start_s: timed.start_s + part.start_s, end_s: timed.end_s + part.start_s });
    words.push(...(part.words ?? []).map(later));
    phones.push(...(part.phones ?? []).map(later));
  }
  return { samples, sampleRate, words, phones };
}

function show(made) {
  sound = { ...made, analysis: analyse(made.samples, made.sampleRate) };
  at("result").hidden = false;
  enable({ again: true, download: true });
  draw();
}

function draw() {
  const perSecond = Number(at("zoom").value);
  const { width, shownS } = extent(sound.samples, sound.sampleRate, perSecond);
  at("strip").style.width = `${width}px`;
  drawWave(at("wave"), sound.samples, sound.sampleRate, perSecond);
  drawSpectrogram(at("spectrogram"), sound.analysis, width, perSecond);
  const shown = (each) => each.filter((timed) => timed.start_s < shownS);
  showWords(at("words"), shown(sound.words), perSecond, play);
  showPhones(at("phones"), shown(sound.phones), perSecond, changes, { play, changed });
  at("undo").disabled = !changes.size;
  if (focused !== null) at("phones").children[focused]?.focus();
}

async function play(timed) {
  await player.ready(sound.sampleRate);
  player.stretch(sound.samples, timed.start_s, timed.end_s);
  enable({ stop: true });
}

function changed(place) {
  focused = document.activeElement?.parentElement === at("phones") ? place : null;
  speak(place);
}

/** The word that a phone belongs to. */
function wordOf(place) {
  const phone = sound.phones.filter((each) => each.text)[place];
  const middle = (phone.start_s + phone.end_s) / 2;
  return sound.words.find((word) => word.start_s <= middle && middle < word.end_s) ?? phone;
}

async function download() {
  const format = at("format").value;
  say(`Making a ${format} file …`);
  try {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(await file(request(), format));
    link.download = `speech.${format}`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60000);
    say(`speech.${format} was saved.`);
  } catch (error) {
    say(error.message, true);
  }
}

function say(message, problem = false) {
  at("status").textContent = message;
  at("status").classList.toggle("problem", problem);
}

function enable(states) {
  for (const [id, on] of Object.entries(states)) at(id).disabled = !on;
}

function choose(select, field, values) {
  select.replaceChildren(...values.map((value) => new Option(value, value)));
  if (field) field.hidden = !values.length;
}

function chosen() {
  const voice = known.find((each) => each.name === at("voice").value);
  choose(at("speaker"), at("speaker-field"), voice.speakers);
  choose(at("steps"), at("steps-field"), [...voice.steps].reverse());
  for (const { name } of SLIDERS) at(name).disabled = !voice.controls.includes(name);
}

function follow() {
  const position = player.position;
  at("head").hidden = position === null || !sound;
  if (position !== null) at("head").style.left = `${position * Number(at("zoom").value)}px`;
  else if (!running) at("stop").disabled = true;
  requestAnimationFrame(follow);
}

async function start() {
  makeSliders();
  at("form").addEventListener("submit", (event) => {
    event.preventDefault();
    focused = null;
    speak();
  });
  at("text").addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) at("form").requestSubmit();
  });
  // The places of phones are those of a text: another text has others.
  at("text").addEventListener("input", () => changes.clear());
  at("voice").addEventListener("change", chosen);
  at("zoom").addEventListener("input", () => sound && draw());
  at("again").addEventListener("click", () => play({ start_s: 0, end_s: sound.samples.length / sound.sampleRate }));
  at("stop").addEventListener("click", () => {
    running?.abort();
    player.stop();
  });
  at("reset").addEventListener("click", () => SLIDERS.forEach((slider) => slider.set(slider.neutral)));
  at("undo").addEventListener("click", () => {
    changes.clear();
    speak();
  });
  at("download").addEventListener("click", download);
  try {
    known = await voices();
    choose(at("voice"), null, known.map((voice) => voice.name));
    chosen();
    say("Ready.");
  } catch (error) {
    say(`The server cannot be reached: ${error.message}`, true);
  }
  follow();
}

start();
