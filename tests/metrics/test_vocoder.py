"""Measures of vocoders against signals whose figures are known."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from speechkd.audio.presets import mel_preset
from speechkd.errors import DataError, ResourceError
from speechkd.metrics.vocoder import periodicity, pesq_wb, pitch_errors, stoi, vocoder_distance

T16 = np.arange(16000) / 16000
PRESET = mel_preset("hifigan_22k")


def voice(rate: int, f0_hz: float, seconds: float = 1.5) -> np.ndarray:
    """Harmonics that fade and swell, as syllables do."""
    t = np.arange(int(rate * seconds)) / rate
    wave = sum(np.sin(2 * np.pi * f0_hz * k * t) / k for k in range(1, 12))
    return (0.1 * wave * (0.55 - 0.45 * np.cos(2 * np.pi * 3 * t))).astype(np.float32)


@pytest.mark.parametrize("f0_hz", [55.0, 110.0, 313.0, 540.0])
def test_a_periodic_wave_is_periodic(f0_hz: float) -> None:
    wave = 0.2 * np.sin(2 * np.pi * f0_hz * T16) + 0.1 * np.sin(4 * np.pi * f0_hz * T16)
    assert periodicity(wave).min() > 0.999 or f0_hz > 500  # lags are whole samples
    assert periodicity(wave).min() > 0.99


def test_noise_silence_and_what_is_too_quiet() -> None:
    noise = np.random.default_rng(0).normal(0, 0.1, 16000)
    assert 0.05 < periodicity(noise).mean() < 0.2
    assert periodicity(np.zeros(2000)).max() == 0
    at_the_floor = 1e-3 * np.sqrt(2) * np.sin(2 * np.pi * 100 * T16)  # -60 dB: half signal, half floor
    assert periodicity(at_the_floor).mean() == pytest.approx(0.5, abs=1e-3)


def test_periodicity_by_hand() -> None:
    x = np.random.default_rng(1).normal(0, 0.1, 960)
    floor = 640 * 1e-6
    head = x[:640]
    values = [
        head @ x[lag : lag + 640] / np.sqrt((head @ head + floor) * (np.sum(x[lag : lag + 640] ** 2) + floor))
        for lag in range(29, 321)
    ]
    assert periodicity(x) == pytest.approx([max(values)])
    assert len(periodicity(np.zeros(960 + 5 * 160))) == 6 and len(periodicity(np.zeros(10))) == 1


def test_pitch_errors_by_hand() -> None:
    true, made = np.array([0, 100, 200, 200, 0.0]), np.array([0, 0, 400, 200 * 2 ** (3 / 12), 50])
    cents, voicing = pitch_errors(true, made)
    assert cents == pytest.approx(np.sqrt((1200**2 + 300**2) / 2)) and voicing == pytest.approx(2 / 5)
    assert pitch_errors(np.zeros(4), np.ones(4)) == (None, 1.0)
    with pytest.raises(DataError):
        pitch_errors(np.zeros(4), np.zeros(5))


def test_a_recording_is_at_no_distance_from_itself() -> None:
    pytest.importorskip("pystoi")
    wave = voice(22050, 120)
    found = vocoder_distance(wave, wave, PRESET, with_pesq=False)
    assert (found.mel_l1, found.periodicity_rmse, found.f0_rmse_cents, found.voicing_error) == (0, 0, 0, 0)
    assert found.pesq_wb is None and found.stoi == pytest.approx(1, abs=1e-6)


def test_a_tone_higher_and_softer() -> None:
    low, high = voice(22050, 120), voice(22050, 120 * 2 ** (1 / 12))
    found = vocoder_distance(low, high, PRESET, False, False)
    assert found.f0_rmse_cents == pytest.approx(100, abs=3) and found.stoi is None
    noise = np.random.default_rng(0).normal(0, 0.1, 22050)
    assert vocoder_distance(noise, noise / np.e, PRESET, False, False).mel_l1 == pytest.approx(1, abs=1e-3)
    longer = vocoder_distance(low, np.concatenate([low, high]), PRESET, False, False)
    assert longer.mel_l1 == 0


def test_noise_lowers_the_libraries_scores() -> None:
    pytest.importorskip("pesq")
    pytest.importorskip("pystoi")
    wave = voice(16000, 120)
    noisy = wave + np.random.default_rng(0).normal(0, 0.03, len(wave)).astype(np.float32)
    assert pesq_wb(wave, wave) == pytest.approx(4.64, abs=0.01) and (pesq_wb(wave, noisy) or 5) < 3
    assert stoi(wave, noisy) < stoi(wave, wave)
    assert pesq_wb(np.zeros(16000, np.float32), wave[:16000]) is None


@pytest.mark.parametrize(("package", "measure"), [("pesq", pesq_wb), ("pystoi", stoi)])
def test_a_missing_library_is_a_line_to_type(monkeypatch: pytest.MonkeyPatch, package: str, measure) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ResourceError, match=rf"{package}.*pip install 'speechkd\[metrics\]'"):
        measure(np.zeros(100, np.float32), np.zeros(100, np.float32))


def test_what_is_too_short_is_said() -> None:
    with pytest.raises(DataError, match="too short"):
        vocoder_distance(np.zeros(5000), np.zeros(100), PRESET)
