"""Cutting utterances to a stretch of words while training."""

from __future__ import annotations

import numpy as np

from recipes.tts.common.dataset import Example, cut, pause_places


def example(durations: list[int], *, per_token: bool) -> Example:
    n_frames = sum(durations)
    frames = np.arange(n_frames)
    positions = np.arange(len(durations)) if per_token else frames
    return Example(
        tokens=np.arange(len(durations)),
        speaker=0,
        durations=np.array(durations),
        mel=np.stack([frames, frames], axis=1),
        pitch_hz=positions,
        voiced=positions > 0,
        energy=positions,
        pauses=np.arange(len(durations)) % 2 == 0,
        wavelet=None if per_token else np.stack([frames] * 10, axis=1),
        pitch_statistics=np.array([0.0, 1.0]),
    )


def test_pauses_stand_where_no_word_is() -> None:
    assert pause_places([-1, 0, 0, -1, 1, -1]) == [0, 3, 5]


def test_tokens_keep_their_own_frames() -> None:
    durations = [2, 3, 0, 4, 1, 5]
    for per_token in (True, False):
        whole = example(durations, per_token=per_token)
        part = cut(whole, 1, 4)
        assert part.tokens.tolist() == [1, 2, 3]
        assert part.durations.tolist() == [3, 0, 4] and part.pauses.tolist() == [False, True, False]
        assert part.mel[:, 0].tolist() == list(range(2, 9))
        expected = [1, 2, 3] if per_token else list(range(2, 9))
        assert part.pitch_hz.tolist() == part.energy.tolist() == expected
        assert (part.wavelet is None) is per_token


def test_a_stretch_without_frames_is_refused() -> None:
    whole = example([2, 0, 3], per_token=True)
    assert cut(whole, 1, 2) is whole
