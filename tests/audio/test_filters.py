"""The mel filters are librosa's, to the last bit."""

from __future__ import annotations

import numpy as np
import pytest

from speechkd.audio.filters import mel_filters
from speechkd.audio.presets import MEL_PRESETS


@pytest.mark.parametrize(
    ("sample_rate", "n_fft", "n_mels", "fmin_hz", "fmax_hz"),
    [
        *((p.sample_rate, p.n_fft, p.n_mels, p.fmin_hz, p.fmax_hz) for p in MEL_PRESETS.values()),
        (22050, 1024, 80, 0.0, 8000.0),
        (24000, 1024, 100, 0.0, None),
        (16000, 512, 40, 20.0, 7600.0),
        (48000, 2048, 128, 1200.0, 24000.0),
    ],
)
def test_equal_to_librosa(sample_rate: int, n_fft: int, n_mels: int, fmin_hz: float, fmax_hz: float | None) -> None:
    filters = pytest.importorskip("librosa").filters
    wanted = filters.mel(sr=sample_rate, n_fft=n_fft, n_mels=n_mels, fmin=fmin_hz, fmax=fmax_hz)
    found = mel_filters(sample_rate, n_fft, n_mels, fmin_hz, fmax_hz)
    assert found.dtype == np.float32 and found.shape == (n_mels, n_fft // 2 + 1)
    np.testing.assert_array_equal(found, wanted)
