"""Lip reading for the training loop: resuming, sampling, augmentation, curriculum."""

from __future__ import annotations

import itertools
import random
from collections.abc import Mapping
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from recipes.lipreading.pcpg.config import AugmentSection, CurriculumSection
from recipes.lipreading.pcpg.dataset import ClipDataset, augmented
from recipes.lipreading.pcpg.policy import Policy, as_samples, freeze_statistics, step_weights
from recipes.lipreading.pcpg.task import LipReadingTask, ctc_loss, shortest
from speechkd.errors import DataError
from speechkd.models.lipreading.config import CropConfig
from speechkd.models.lipreading.network import LipReader
from speechkd.models.lipreading.search import sample
from speechkd.models.lipreading.symbols import Characters
from speechkd.runner import ItemStore
from speechkd.training.loop import fit
from tests.recipes.lipreading.talking import TEXTS, configured, run

POLICY = "objective={name: pcpg, kernel: 2, weight: 0.5, baseline: moving_average}"


class Silent:
    """A monitor that may stop the run."""

    def __init__(self, stop_at: int = 0) -> None:
        self.stop_at = stop_at

    def row(self, row: Mapping[str, Any]) -> None: ...

    def advance(self, step: int, loss: float) -> None:
        if step == self.stop_at and loss == loss:
            raise KeyboardInterrupt

    def message(self, text: str) -> None: ...


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> ItemStore:
    folder = tmp_path_factory.mktemp("clips")
    run(folder, "run", stop_stage="crops")
    return ItemStore(folder / "run/crops")


def task(store: ItemStore, folder: Path, *overrides: str) -> LipReadingTask:
    cfg = configured(folder, "run", overrides)
    torch.manual_seed(0)
    reader = LipReader(cfg.model)
    dataset = ClipDataset(store, store.ids, reader.characters, cfg.model.crop)
    return LipReadingTask(Policy(reader), dataset, store.ids, store.ids[:2], cfg)


def test_a_killed_run_ends_as_one_that_was_not(store: ItemStore, tmp_path: Path) -> None:
    """With draws, dropout, augmentation and the moving average, which is part of a checkpoint."""
    settings = (POLICY, "init={path: unused}")
    weights = []
    for name, stop in (("whole", 0), ("killed", 3)):
        if stop:
            first = task(store, tmp_path, *settings)
            with pytest.raises(KeyboardInterrupt):
                fit(first, first.cfg.train, tmp_path / name, Silent(stop))
        last = task(store, tmp_path, *settings)
        weights.append(fit(last, last.cfg.train, tmp_path / name, Silent()).weights)
        assert isinstance(last.model, Policy)
        assert float(last.model.mean_return) != 0.0
    assert weights[0].keys() == weights[1].keys() and "mean_return" in weights[0]
    assert all(torch.equal(value, weights[1][name]) for name, value in weights[0].items())


def test_norms_are_matched_and_the_model_left_as_it_was(store: ItemStore, tmp_path: Path) -> None:
    """R17: with the scale, the policy's gradient has the norm of that of cross-entropy, whatever the kernel."""
    scales = []
    for kernel in (1, 6):
        own = task(store, tmp_path, f"objective={{name: pcpg, kernel: {kernel}}}", "init={path: unused}")
        before = {name: value.clone() for name, value in own.model.state_dict().items()}
        found = own.match_norms(torch.device("cpu"))
        assert found == task(
            store, tmp_path, f"objective={{name: pcpg, kernel: {kernel}}}", "init={path: unused}"
        ).match_norms(torch.device("cpu")), "a resumed run measures the same"
        assert found["scale"] * found["policy"] == pytest.approx(found["ce"])
        assert all(torch.equal(value, before[name]) for name, value in own.model.state_dict().items())
        scales.append(found["scale"])
    assert scales[0] != scales[1]


@pytest.mark.parametrize("baseline", ["none", "moving_average", "leave_one_out", "greedy"])
def test_r6_r7_rewards_and_baselines_hold_no_graph(store: ItemStore, tmp_path: Path, baseline: str) -> None:
    own = task(store, tmp_path, f"objective={{name: pcpg, baseline: {baseline}}}", "init={path: unused}")
    assert isinstance(own.model, Policy)
    batch = own.dataset.batch(store.ids[:3])
    memory = own.model.reader.encode(batch.frames, batch.lengths)
    drawn = as_samples(sample(own.model.reader, memory, 4))
    weights = step_weights(own.model, memory, batch, drawn, own.cfg.objective)
    assert not weights.requires_grad
    assert not bool(weights[~drawn.mask].any()), "R3: nothing is credited beyond the end"


def test_cross_entropy_of_samples_and_texts_together_is_that_of_texts_alone(store: ItemStore, tmp_path: Path) -> None:
    """One pass of the decoder over both: without dropout the cross-entropy is the same number."""
    both, alone = (
        task(store, tmp_path, "model.dropout=0", objective, "init={path: unused}")
        for objective in ("objective={name: pcpg, weight: 0.0}", "objective={name: ce}")
    )
    batch = both.dataset.batch(store.ids)
    values = [each.losses(each.model.train(), batch, 1)["ce"] for each in (both, alone)]
    assert torch.allclose(*values)


def test_ctc_equals_the_sum_over_all_paths(store: ItemStore, tmp_path: Path) -> None:
    """Every string of three frames that is the letter once repeats are merged and blanks (padding) are taken out."""
    own = task(store, tmp_path, "model.ctc=true", "loss.ctc=0.5")
    assert isinstance(own.model, Policy)
    reader = own.model.reader.eval()
    batch = own.dataset.batch([id_ for id_ in store.ids if own.dataset.texts[id_] == "b"])
    memory = reader.encode(batch.frames, batch.lengths)
    p = reader.frame_logits(memory)[0].softmax(dim=-1)
    letter = int(batch.text[0, 0])
    paths = [
        path for path in itertools.product((0, letter), repeat=3) if [k for k, _ in groupby(path) if k] == [letter]
    ]
    expected = -torch.stack([p[0, a] * p[1, b] * p[2, c] for a, b, c in paths]).sum().log()
    assert torch.allclose(ctc_loss(reader, memory, batch), expected)
    assert torch.allclose(own.losses(own.model, batch, 1)["ctc"], 0.5 * expected)


def test_frozen_statistics_stay(store: ItemStore, tmp_path: Path) -> None:
    own = task(store, tmp_path)
    model = own.model.train()
    freeze_statistics(model)
    assert model.training
    before = {name: value.clone() for name, value in model.named_buffers()}
    own.losses(model, own.dataset.batch(store.ids[:2]), 1)
    assert all(torch.equal(value, before[name]) for name, value in model.named_buffers())


def test_mixed_precision_is_for_the_front_end_alone(store: ItemStore, tmp_path: Path) -> None:
    own = task(store, tmp_path, POLICY, "init={path: unused}", "model.dropout=0")
    batch, found = own.dataset.batch(store.ids[:4]), []
    for mixed in (False, True):
        torch.manual_seed(0)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=mixed):
            found.append(own.losses(own.model.train(), batch, 1)["ce"])
    assert found[1].dtype == torch.float32
    assert found[0] != found[1] and torch.allclose(*found, rtol=0.02)


def test_augmentation_is_drawn_by_place_alone(store: ItemStore, tmp_path: Path) -> None:
    changes = ("augment={flip: 0.5, shift_pixels: 2, mask_frames: 3}",)
    first, second = (task(store, tmp_path, *changes) for _ in range(2))
    for each in (first, second):
        each.epoch(1, 2)
    assert torch.equal(first.load(store.ids).frames, second.load(list(store.ids)).frames)
    second.epoch(1, 3)
    assert not torch.equal(first.load(store.ids).frames, second.load(store.ids).frames)


def test_what_augmentation_does() -> None:
    frames = np.arange(2 * 3 * 4, dtype=np.uint8).reshape(2, 3, 4)
    mirrored = augmented(frames, AugmentSection(flip=1.0, shift_pixels=0, masks=0), 9, random.Random(0))
    assert np.array_equal(mirrored, frames[:, :, ::-1])
    hidden = augmented(frames, AugmentSection(flip=0.0, shift_pixels=0, mask_frames=2, masks=8), 9, random.Random(0))
    assert (hidden == 9).all(axis=(1, 2)).any() and frames[0, 0, 0] == 0
    moved = {
        augmented(frames, AugmentSection(flip=0.0, shift_pixels=1, masks=0), 9, random.Random(i))[0].tobytes()
        for i in range(60)
    }
    down_right = np.array([[0, 0, 1, 2], [0, 0, 1, 2], [4, 4, 5, 6]], dtype=np.uint8)
    assert len(moved) == 9 and down_right.tobytes() in moved


def test_the_curriculum_begins_with_the_shortest() -> None:
    lengths, texts = {"a": 9, "b": 3, "c": 3, "d": 5}, {"a": "x", "b": "xx", "c": "x", "d": "x"}
    how = CurriculumSection(epochs=2, start=0.5)
    assert list(shortest(lengths, texts, how, 0)) == ["c", "b"]
    assert list(shortest(lengths, texts, how, 1)) == ["c", "b", "d"]
    assert shortest(lengths, texts, how, 2) == lengths == shortest(lengths, texts, CurriculumSection(), 0)


def test_crops_of_another_size_are_named(store: ItemStore) -> None:
    dataset = ClipDataset(store, store.ids, Characters("abc "), CropConfig(height=10, width=16))
    with pytest.raises(DataError, match="12 x 16, not 10 x 16"):
        dataset.batch(store.ids)


def test_batches_hold_texts_with_their_end(store: ItemStore) -> None:
    dataset = ClipDataset(store, store.ids, Characters("abc "), CropConfig(height=12, width=16))
    batch = dataset.batch(store.ids)
    assert batch.text_lengths.tolist() == [len(text) for text in TEXTS]
    assert batch.lengths.tolist() == [3 * len(text) for text in TEXTS]
    assert [batch.text[i, length].item() for i, length in enumerate(batch.text_lengths)] == [2] * len(TEXTS)
