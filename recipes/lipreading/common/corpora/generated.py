"""The generated talking mouth as a corpus: training speakers, and held-out ones for the test part."""

from __future__ import annotations

from pathlib import Path

from recipes.lipreading.common.manifest import Clip, Corpus
from speechkd.data.talker import talker_rng, talker_sentence


def read_talker(
    _folder: Path,
    train: str = "2000",
    valid: str = "100",
    test: str = "300",
    speakers: str = "8",
    held_out: str = "4",
    seed: str = "0",
) -> Corpus:
    """Clips of the three parts; only the test part is said by the held-out speakers. Nothing is read."""
    clips: list[Clip] = []
    for part, number in (("train", int(train)), ("valid", int(valid)), ("test", int(test))):
        prefix, voices = ("h", int(held_out)) if part == "test" else ("t", int(speakers))
        for index in range(number):
            id_ = f"{part}_{index:05d}"
            text = talker_sentence(talker_rng(int(seed), "sentence", id_))
            clips.append(Clip(id_, f"{prefix}{index % voices}", text, "", part=part))
    return Corpus(tuple(clips))
