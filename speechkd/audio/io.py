"""Audio files in and out: mono float32 samples, checked, resampled on request."""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile

from speechkd.errors import DataError

Samples = npt.NDArray[np.float32]

# Beyond this the gain of `normalise_loudness` would lift noise, not speech.
MAX_GAIN_DB = 40.0
PEAK_LIMIT = 0.98
ACTIVE_BELOW_PEAK_DB = 40.0


@dataclass(frozen=True)
class Audio:
    """Mono audio: `samples` float32 (T,) in [-1, 1], `sample_rate` in Hz."""

    samples: Samples
    sample_rate: int

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return len(self.samples) / self.sample_rate


def read_audio(path: Path, sample_rate: int | None = None) -> Audio:
    """Read a file as mono (mean of the channels), resampled to `sample_rate` if given.

    Raises DataError for a file that is missing, empty, undecodable, shorter than its header says,
    or that holds NaN or infinite samples.
    """
    if not path.is_file():
        raise DataError("audio file is missing", where=str(path), todo="Restore the file or remove its line")
    if path.stat().st_size == 0:
        raise DataError("audio file is empty (0 bytes)", where=str(path), todo="Replace the file or remove its line")
    lie = wav_header_problem(path)
    if lie:
        raise DataError("WAV header is wrong", where=str(path), why=lie, todo="Write the file again or remove its line")
    samples, file_rate = _decode(path)
    if sample_rate is not None and sample_rate != file_rate:
        samples = resample(samples, file_rate, sample_rate)
        file_rate = sample_rate
    return Audio(samples, file_rate)


def _decode(path: Path) -> tuple[Samples, int]:
    try:
        with soundfile.SoundFile(path) as file:
            expected = file.frames
            frames = file.read(dtype="float32", always_2d=True)
            rate = int(file.samplerate)
    except (soundfile.SoundFileError, OSError) as error:
        raise DataError("audio cannot be decoded", where=str(path), why=str(error)) from error
    if len(frames) != expected:
        why = f"the header says {expected} samples, {len(frames)} can be decoded"
        raise DataError("audio is truncated", where=str(path), why=why, todo="Restore the file or remove its line")
    if not len(frames):
        raise DataError("audio holds no samples", where=str(path), todo="Replace the file or remove its line")
    samples = frames[:, 0] if frames.shape[1] == 1 else frames.mean(axis=1)
    if not np.isfinite(samples).all():
        raise DataError("audio holds NaN or infinite samples", where=str(path), todo="Export the file again")
    return np.ascontiguousarray(samples), rate


# Real files have a dozen; a file of millions of empty ones is made to keep its readers busy.
MOST_CHUNKS = 10_000


def wav_header_problem(path: Path) -> str | None:
    """What a RIFF/WAVE header claims that the file does not hold, or None (also for other formats).

    libsndfile trusts the file's length over the header, so a truncated copy would pass unseen.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(12)
        if len(head) < 12 or head[:4] != b"RIFF" or head[8:12] != b"WAVE":
            return None
        for _ in range(MOST_CHUNKS):
            chunk = file.read(8)
            if not chunk:
                return "there is no data chunk"
            if len(chunk) < 8:
                return "the file ends inside a chunk header"
            name, length = chunk[:4], struct.unpack("<I", chunk[4:])[0]
            available = size - file.tell()
            if name == b"data":
                if length > available:
                    return f"the header promises {length} bytes of samples, the file holds {available}"
                return None
            if length > available:
                return f"chunk {name!r} promises {length} bytes, {available} follow"
            file.seek(length + length % 2, os.SEEK_CUR)
    return f"there is no data chunk among the first {MOST_CHUNKS}"


def resample(samples: Samples, from_rate: int, to_rate: int) -> Samples:
    """Band-limited resampling (soxr, very high quality). samples: (T,)."""
    import soxr

    return np.asarray(soxr.resample(samples, from_rate, to_rate, quality="VHQ"), dtype=np.float32)


def write_audio(path: Path, samples: npt.ArrayLike, sample_rate: int) -> None:
    """Write samples (T,) as 16-bit PCM; the suffix names the format (.wav, .flac). Values are clipped to [-1, 1]."""
    data = np.clip(np.asarray(samples, dtype=np.float32), -1.0, 1.0)
    try:
        soundfile.write(path, data, sample_rate, subtype="PCM_16")
    except (soundfile.SoundFileError, ValueError, TypeError) as error:
        raise DataError(
            "audio cannot be written", where=str(path), why=str(error), todo="Use a name ending in .wav or .flac"
        ) from error


def active_rms_db(samples: Samples, frame_samples: int = 1024) -> float:
    """Root mean square in dB full scale over the frames within 40 dB of the loudest one: speech without its pauses."""
    usable = len(samples) // frame_samples * frame_samples
    frames = samples[:usable].reshape(-1, frame_samples) if usable else samples[None]
    power = np.mean(np.square(frames, dtype=np.float64), axis=1)
    active = power[power >= power.max() * 10 ** (-ACTIVE_BELOW_PEAK_DB / 10)]
    return float(10 * np.log10(max(active.mean(), 1e-12)))


def normalise_loudness(samples: Samples, target_dbfs: float) -> Samples:
    """Scale samples (T,) so that the active RMS is `target_dbfs`, less where the peak would pass 0.98."""
    gain = 10 ** (min(target_dbfs - active_rms_db(samples), MAX_GAIN_DB) / 20)
    peak = float(np.abs(samples).max())
    return samples * np.float32(min(gain, PEAK_LIMIT / max(peak, 1e-9)))
