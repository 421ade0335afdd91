"""A small sound corpus on disk that tests break one thing of at a time."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

RATE = 22050
WORDS = ["alder", "birch", "cedar", "elm", "fir", "hazel", "larch", "maple", "oak", "pine", "rowan", "spruce"]

MakeCorpus = Callable[..., Path]


def tone(duration_s: float, hz: float = 220.0, rate: int = RATE) -> NDArray[np.float32]:
    """A quiet tone (T,); each frequency makes other samples."""
    time_s = np.arange(int(duration_s * rate)) / rate
    return (0.3 * np.sin(2 * np.pi * hz * time_s)).astype(np.float32)


@pytest.fixture
def make_corpus(tmp_path: Path) -> MakeCorpus:
    """Write `n` sound utterances u000, u001, … of one second and ten letters or so; returns the folder."""

    def make(n: int = 3) -> Path:
        folder = tmp_path / "corpus"
        (folder / "wavs").mkdir(parents=True)
        lines = []
        for i in range(n):
            suffix = ".flac" if i % 2 else ".wav"
            soundfile.write(folder / "wavs" / f"u{i:03d}{suffix}", tone(1.0, 200 + i), RATE, subtype="PCM_16")
            lines.append(f"u{i:03d}|{WORDS[i % 12]} {WORDS[i // 12 % 12]} tree\n")
        (folder / "metadata.csv").write_text("".join(lines), encoding="utf-8")
        return folder

    return make
