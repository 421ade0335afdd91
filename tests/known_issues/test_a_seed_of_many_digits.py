"""A seed of more than 64 bits ended in a RuntimeError of torch, and a traceback."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from speechkd.errors import UsageError
from speechkd.synthesis import load_voice
from speechkd.synthesis.voice import SEEDS
from tests.synthesis.tiny import pack_kind


def test_seeds_outside_the_range_are_refused_in_one_line(tmp_path: Path) -> None:
    pack_kind("tokens", tmp_path / "voice")
    voice = load_voice(tmp_path / "voice")
    for seed in (SEEDS, 10**30, -1):
        with pytest.raises(UsageError, match=f"seed is {seed}"):
            voice.synthesize("Hello.", seed=seed)
    first, second = (voice.synthesize("Hello.", seed=SEEDS - 1).samples for _ in range(2))
    np.testing.assert_array_equal(first, second)
