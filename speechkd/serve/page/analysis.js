// Spectra and pitch of samples: what the pictures show.

/** Magnitudes in dB: one Uint8 row of `size / 2` values per hop, 0 is `floorDb` under the loudest, 255 is the loudest. */
export function spectrogram(samples, size, hop, floorDb) {
  const window = Float32Array.from({ length: size }, (_, i) => 0.5 - 0.5 * Math.cos((2 * Math.PI * i) / size));
  const rows = [];
  let loudest = 1e-12;
  for (let start = 0; start < samples.length; start += hop) {
    const real = new Float32Array(size);
    const imaginary = new Float32Array(size);
    for (let i = 0; i < size && start + i - size / 2 < samples.length; i++) {
      if (start + i >= size / 2) real[i] = samples[start + i - size / 2] * window[i];
    }
    transform(real, imaginary);
    const row = new Float32Array(size / 2);
    for (let k = 0; k < row.length; k++) {
      row[k] = real[k] * real[k] + imaginary[k] * imaginary[k];
      loudest = Math.max(loudest, row[k]);
    }
    rows.push(row);
  }
  return rows.map((row) => Uint8Array.from(row, (power) => {
    const db = 10 * Math.log10(Math.max(power, 1e-12) / loudest);
    return Math.max(0, Math.min(255, 255 * (1 + db / floorDb)));
  }));
}

/** In place: a Fourier transform of a power-of-two length (Cooley and Tukey, 1965). */
export function transform(real, imaginary) {
  const size = real.length;
  for (let i = 1, j = 0; i < size; i++) {
    let bit = size >> 1;
    for (; j & bit; bit >>= 1) j ^= bit;
    j ^= bit;
    if (i < j) {
      [real[i], real[j]] = [real[j], real[i]];
      [imaginary[i], imaginary[j]] = [imaginary[j], imaginary[i]];
    }
  }
  for (let length = 2; length <= size; length <<= 1) {
    const angle = (-2 * Math.PI) / length;
    for (let start = 0; start < size; start += length) {
      for (let k = 0; k < length / 2; k++) {
        const [cosine, sine] = [Math.cos(angle * k), Math.sin(angle * k)];
        const [a, b] = [start + k, start + k + length / 2];
        const [re, im] = [real[b] * cosine - imaginary[b] * sine, real[b] * sine + imaginary[b] * cosine];
        [real[b], imaginary[b]] = [real[a] - re, imaginary[a] - im];
        real[a] += re;
        imaginary[a] += im;
      }
    }
  }
}

const LOWEST_HZ = 60;
const HIGHEST_HZ = 600;
const VOICED = 0.6;

/** Pitch in Hz per hop of `hopS` seconds, 0 where there is none: the lag at which samples resemble themselves most. */
export function pitch(samples, sampleRate, hopS) {
  const step = Math.max(1, Math.floor(sampleRate / 8000));
  const rate = sampleRate / step;
  const slow = new Float32Array(Math.floor(samples.length / step));
  for (let i = 0; i < slow.length; i++) {
    for (let k = 0; k < step; k++) slow[i] += samples[i * step + k] / step;
  }
  const [shortest, longest] = [Math.floor(rate / HIGHEST_HZ), Math.ceil(rate / LOWEST_HZ)];
  const width = 2 * longest;
  const found = [];
  for (let at = 0; at < samples.length / sampleRate; at += hopS) {
    found.push(pitchAt(slow, Math.round(at * rate) - longest, width, shortest, longest, rate));
  }
  return found;
}

function pitchAt(x, start, width, shortest, longest, rate) {
  if (start < 0 || start + width + longest >= x.length) return 0;
  const power = energy(x, start, width);
  if (power < 1e-5 * width) return 0;
  const alike = new Float32Array(longest + 1);
  for (let lag = shortest; lag <= longest; lag++) {
    let sum = 0;
    for (let i = start; i < start + width; i++) sum += x[i] * x[i + lag];
    alike[lag] = sum / Math.sqrt(power * energy(x, start + lag, width) + 1e-12);
  }
  const most = Math.max(...alike.subarray(shortest));
  if (most < VOICED) return 0;
  // The first lag that is nearly the best: the best one is often twice the period.
  for (let lag = shortest + 1; lag < longest; lag++) {
    const peak = alike[lag] >= alike[lag - 1] && alike[lag] >= alike[lag + 1];
    if (peak && alike[lag] > 0.9 * most) return rate / (lag + vertex(alike, lag));
  }
  return 0;
}

/** Where the parabola through three values has its top, relative to the middle one. */
function vertex(values, middle) {
  const [a, b, c] = [values[middle - 1], values[middle], values[middle + 1]];
  const bend = a - 2 * b + c;
  return bend === 0 ? 0 : (0.5 * (a - c)) / bend;
}

function energy(x, start, width) {
  let sum = 0;
  for (let i = start; i < start + width; i++) sum += x[i] * x[i];
  return sum;
}
