"""What the aligner hears."""

from __future__ import annotations

import numpy as np
import pytest

from speechkd.align.mas.features import N_FEATURES, hear, silence_probability
from speechkd.errors import DataError

RATE = 16000


def tone_between_silences() -> np.ndarray:
    """0.3 s of faint noise, 0.4 s of a loud tone, 0.3 s of noise."""
    noise = np.random.default_rng(0).normal(0, 1e-4, RATE)
    time_s = np.arange(RATE) / RATE
    tone = np.where((time_s >= 0.3) & (time_s < 0.7), 0.4 * np.sin(2 * np.pi * 440 * time_s), 0)
    return (noise + tone).astype(np.float32)


def test_a_frame_is_ten_milliseconds_around_its_centre() -> None:
    heard = hear(tone_between_silences(), RATE)
    assert heard.frames.shape == (100, N_FEATURES)
    silent = np.flatnonzero(heard.silence > 0.5)
    # The windows of 25 ms reach over the edges of the tone by a frame.
    assert set(range(28)) | set(range(72, 100)) <= set(silent.tolist()) <= set(range(30)) | set(range(70, 100))


def test_the_gain_of_a_recording_does_not_matter() -> None:
    samples = tone_between_silences()
    np.testing.assert_allclose(hear(samples * 0.05, RATE).frames, hear(samples, RATE).frames, atol=1e-2)


def test_any_sample_rate_gives_the_same_number_of_frames() -> None:
    assert len(hear(np.repeat(tone_between_silences(), 2), 2 * RATE).frames) == 100


def test_silence_probability_falls_with_the_level() -> None:
    probability = silence_probability(np.linspace(-10, 2, 50, dtype=np.float32))
    assert (np.diff(probability) <= 0).all() and probability[0] > 0.99 and probability[-1] < 0.01
    assert np.isfinite(silence_probability(np.zeros(5, np.float32))).all()


@pytest.mark.parametrize(
    ("samples", "why"),
    [(np.zeros(RATE), "silent"), (np.full(RATE, np.nan), "NaN"), (np.ones(100), "too short"), (np.zeros(0), "silent")],
)
def test_what_cannot_be_heard_is_an_error(samples: np.ndarray, why: str) -> None:
    with pytest.raises(DataError, match=why) as error:
        hear(samples.astype(np.float32), RATE, "clip7")
    assert error.value.where == "clip7"
