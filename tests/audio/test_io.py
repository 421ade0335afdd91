"""Audio files: what is written is what is read, and every kind of damage has its own message."""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np
import pytest
import soundfile

from speechkd.audio.io import active_rms_db, normalise_loudness, read_audio, resample, write_audio
from speechkd.errors import DataError

RATE = 22_050


def tone(f_hz: float, n: int, rate: int = RATE, amplitude: float = 0.5) -> np.ndarray:
    return (amplitude * np.sin(2 * np.pi * f_hz * np.arange(n) / rate)).astype(np.float32)


@pytest.mark.parametrize("suffix", [".wav", ".flac"])
def test_round_trip_within_one_step_of_16_bits(tmp_path: Path, suffix: str) -> None:
    samples = np.random.default_rng(0).uniform(-1, 1, 5000).astype(np.float32)
    write_audio(tmp_path / f"a{suffix}", samples, RATE)
    audio = read_audio(tmp_path / f"a{suffix}")
    assert audio.sample_rate == RATE and audio.samples.dtype == np.float32
    assert audio.duration_s == pytest.approx(5000 / 22_050)
    np.testing.assert_allclose(audio.samples, samples, atol=1.1 / 32768)
    assert soundfile.info(tmp_path / f"a{suffix}").subtype == "PCM_16"


def test_the_standard_library_reads_what_we_write(tmp_path: Path) -> None:
    write_audio(tmp_path / "a.wav", [0.0, 0.5, -0.5, 3.0, -3.0], 8000)
    with wave.open(str(tmp_path / "a.wav")) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, 8000)
        pcm = np.frombuffer(file.readframes(9), dtype="<i2")
    # Too loud is clipped, not wrapped round.
    np.testing.assert_allclose(pcm, [0, 16384, -16384, 32767, -32768], atol=1)


def test_channels_are_averaged(tmp_path: Path) -> None:
    left, right = tone(200, 1000), tone(300, 1000)
    soundfile.write(tmp_path / "a.wav", np.stack([left, right], axis=1), RATE, subtype="FLOAT")
    np.testing.assert_allclose(read_audio(tmp_path / "a.wav").samples, (left + right) / 2, atol=1e-7)


def test_resampling_keeps_the_tone(tmp_path: Path) -> None:
    write_audio(tmp_path / "a.wav", tone(440, 22_050), RATE)
    audio = read_audio(tmp_path / "a.wav", 16_000)
    assert audio.sample_rate == 16_000 and len(audio.samples) == 16_000
    inner = slice(500, -500)  # the filter rings where the tone starts and stops
    np.testing.assert_allclose(audio.samples[inner], tone(440, 16_000, 16_000)[inner], atol=1e-3)


def test_resampling_does_not_alias() -> None:
    above = resample(tone(9000, 22_050), RATE, 16_000)  # over the new Nyquist frequency of 8 kHz
    assert np.abs(above[500:-500]).max() < 1e-3


def damaged(path: Path, kind: str) -> Path:
    """A file with one kind of damage."""
    if kind == "empty":
        path.write_bytes(b"")
    elif kind == "text":
        path.write_bytes(b"this is not audio at all, whatever the name says")
    elif kind == "nan":
        soundfile.write(path, np.array([0.0, np.nan, 0.1], dtype=np.float32), RATE, subtype="FLOAT")
    elif kind == "no samples":
        soundfile.write(path, np.zeros(0, dtype=np.float32), RATE, subtype="PCM_16")
    elif kind.startswith("cut"):
        samples = np.random.default_rng(0).uniform(-0.5, 0.5, 20_000)
        soundfile.write(path, samples, RATE, format=kind.split()[1], subtype="PCM_16")
        data = path.read_bytes()
        path.write_bytes(data[: len(data) * 2 // 3])
    return path


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("missing", "missing"),
        ("empty", r"empty \(0 bytes\)"),
        ("text", "cannot be decoded"),
        ("nan", "NaN"),
        ("no samples", "no samples"),
        ("cut WAV", "the header promises 40000 bytes of samples, the file holds"),
        ("cut FLAC", "cannot be decoded|truncated"),
    ],
)
def test_damage_is_named_with_the_file(tmp_path: Path, kind: str, message: str) -> None:
    path = damaged(tmp_path / "a.wav", kind)
    with pytest.raises(DataError, match=message) as caught:
        read_audio(path)
    assert caught.value.where == str(path)


def test_chunks_before_the_samples_are_skipped(tmp_path: Path) -> None:
    """A chunk of odd length is padded to an even one; a reader that forgets this loses its place."""
    samples = tone(300, 100)
    soundfile.write(tmp_path / "a.wav", samples, RATE, subtype="FLOAT")
    data = (tmp_path / "a.wav").read_bytes()
    odd = b"note" + (3).to_bytes(4, "little") + b"abc\0"
    size = (len(data) + len(odd) - 8).to_bytes(4, "little")
    (tmp_path / "a.wav").write_bytes(data[:4] + size + data[8:12] + odd + data[12:])
    np.testing.assert_array_equal(read_audio(tmp_path / "a.wav").samples, samples)


def test_unknown_suffix_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"\.wav or \.flac"):
        write_audio(tmp_path / "a.xyz", np.zeros(10), RATE)


def test_loudness_is_that_of_the_speech_not_of_the_pauses() -> None:
    speech = tone(200, 64 * 1024, amplitude=0.1)
    quiet = np.concatenate([speech, np.zeros(64 * 1024, dtype=np.float32)])
    expected = 20 * np.log10(0.1 / np.sqrt(2))  # the RMS of a sine
    assert active_rms_db(speech) == pytest.approx(expected, abs=0.01)
    assert active_rms_db(quiet) == pytest.approx(expected, abs=0.01)
    for samples in (speech, quiet):
        assert active_rms_db(normalise_loudness(samples, -26.0)) == pytest.approx(-26.0, abs=0.01)


def test_loudness_spares_the_peaks_and_does_not_lift_silence() -> None:
    spiky = tone(200, 64 * 1024, amplitude=0.05)
    spiky[5000] = 0.7
    assert np.abs(normalise_loudness(spiky, -10.0)).max() == pytest.approx(0.98, abs=1e-5)
    whisper = tone(200, 64 * 1024, amplitude=1e-5)
    assert np.abs(normalise_loudness(whisper, -20.0)).max() == pytest.approx(1e-3, rel=0.01)  # 40 dB and no more
    assert not normalise_loudness(np.zeros(4096, dtype=np.float32), -20.0).any()
