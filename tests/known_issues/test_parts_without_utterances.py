"""When every utterance of a part had failed before, training and speaking ended with a Python error, or never."""

from __future__ import annotations

from pathlib import Path

import pytest

from recipes.tts.common.infer import held_out_with_features
from recipes.tts.transformer.train import dataset_of
from speechkd.errors import StageError
from tests.recipes.tts.features import write_features


@pytest.mark.parametrize("part", ["train", "valid"])
def test_a_part_of_which_nothing_is_left_is_named(tmp_path: Path, part: str) -> None:
    data = dataset_of(*write_features(tmp_path))
    splits = {"train": ["u0", "failed"], "valid": ["u1"], "test": ["u2"]}
    assert data.learned_and_chosen_by(splits) == (["u0"], ["u1"])
    with pytest.raises(StageError, match=f"no utterance of {part} has features.*all 1 failed"):
        data.learned_and_chosen_by(splits | {part: ["failed"]})


def test_nothing_to_speak_beside_is_named(tmp_path: Path) -> None:
    features = dataset_of(*write_features(tmp_path)).features
    assert held_out_with_features(["u2", "failed"], features) == ["u2"]
    with pytest.raises(StageError, match="no utterance of test has features"):
        held_out_with_features(["failed"], features)
