"""A teacher's samples could not be stored by two workers: their clips' recordings could not be sent to them."""

from __future__ import annotations

import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import torch

from tests.recipes.vocoder.made_up import make_dataset

IDS = ["a", "c"]


def test_slices_are_the_same_in_another_process(tmp_path: Path) -> None:
    dataset = make_dataset(tmp_path)
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as workers:
        theirs = workers.submit(dataset.middle, IDS, 8).result(timeout=100)
    mine = dataset.middle(IDS, 8)
    assert torch.equal(mine.mel, theirs.mel)
    assert torch.equal(mine.samples, theirs.samples)
