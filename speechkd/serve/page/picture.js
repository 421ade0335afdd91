// Draws a sound: waveform, spectrogram, pitch.

import { pitch, spectrogram } from "./analysis.js";

const SIZE = 512;
const FLOOR_DB = 70;
const TOP_HZ = 8000;
const PITCH_HOP_S = 0.01;
const PITCH_TOP_HZ = 500;
/** No longer stretch is drawn: a canvas may have 32,767 pixels at most. */
const MOST_PIXELS = 32000;

/** The width in pixels of a sound, and the seconds of it that are drawn. */
export function extent(samples, sampleRate, pixelsPerSecond) {
  const shownS = Math.min(samples.length / sampleRate, MOST_PIXELS / pixelsPerSecond);
  return { width: Math.max(1, Math.round(shownS * pixelsPerSecond)), shownS };
}

export function drawWave(canvas, samples, sampleRate, pixelsPerSecond) {
  const { width } = extent(samples, sampleRate, pixelsPerSecond);
  canvas.width = width;
  const context = canvas.getContext("2d");
  context.fillStyle = colour("--accent");
  const perPixel = sampleRate / pixelsPerSecond;
  const middle = canvas.height / 2;
  for (let x = 0; x < width; x++) {
    let [low, high] = [0, 0];
    const end = Math.min(samples.length, Math.ceil((x + 1) * perPixel));
    for (let i = Math.floor(x * perPixel); i < end; i++) {
      low = Math.min(low, samples[i]);
      high = Math.max(high, samples[i]);
    }
    context.fillRect(x, middle - high * middle, 1, Math.max(1, (high - low) * middle));
  }
}

/** What a spectrogram shows; costly, so computed once per sound and drawn at every zoom. */
export function analyse(samples, sampleRate) {
  const hop = Math.round(sampleRate / 200);
  return {
    rows: spectrogram(samples, SIZE, hop, FLOOR_DB),
    rowsPerSecond: sampleRate / hop,
    hzPerBin: sampleRate / SIZE,
    pitch: pitch(samples, sampleRate, PITCH_HOP_S),
  };
}

export function drawSpectrogram(canvas, analysis, width, pixelsPerSecond) {
  canvas.width = width;
  const context = canvas.getContext("2d");
  const image = context.createImageData(width, canvas.height);
  const dark = matchMedia("(prefers-color-scheme: dark)").matches;
  for (let x = 0; x < width; x++) {
    const row = analysis.rows[Math.min(analysis.rows.length - 1, Math.floor((x / pixelsPerSecond) * analysis.rowsPerSecond))];
    for (let y = 0; y < canvas.height; y++) {
      const hz = (1 - y / canvas.height) * TOP_HZ;
      const level = row[Math.min(row.length - 1, Math.round(hz / analysis.hzPerBin))];
      const grey = dark ? level : 255 - level;
      image.data.set([grey, grey, grey, 255], 4 * (y * width + x));
    }
  }
  context.putImageData(image, 0, 0);
  drawPitch(context, canvas.height, analysis.pitch, pixelsPerSecond);
}

function drawPitch(context, height, values, pixelsPerSecond) {
  context.strokeStyle = colour("--changed");
  context.lineWidth = 2.5;
  context.beginPath();
  let on = false;
  values.forEach((hz, i) => {
    const [x, y] = [i * PITCH_HOP_S * pixelsPerSecond, height * (1 - hz / PITCH_TOP_HZ)];
    if (hz && on) context.lineTo(x, y);
    else if (hz) context.moveTo(x, y);
    on = hz > 0;
  });
  context.stroke();
}

function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}
