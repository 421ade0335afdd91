"""A teacher's samples could not be stored by two workers: their clips' recordings could not be sent to them."""

from __future__ import annotations

import pickle
from pathlib import Path

import torch

from tests.recipes.vocoder.made_up import make_dataset


def test_slices_are_the_same_in_another_process(tmp_path: Path) -> None:
    dataset = make_dataset(tmp_path)
    there = pickle.loads(pickle.dumps(dataset))  # noqa: S301
    mine, theirs = (each.middle(["a", "c"], 8) for each in (dataset, there))
    assert torch.equal(mine.mel, theirs.mel)
    assert torch.equal(mine.samples, theirs.samples)
