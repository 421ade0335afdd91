"""Slices of recordings and of the mels behind them."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch

from recipes.vocoder.common.dataset import SliceDataset
from speechkd.audio.mel import mel_spectrogram
from tests.recipes.vocoder.made_up import LENGTHS, PRESET, make_dataset

IDS = list(LENGTHS)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> SliceDataset:
    return make_dataset(tmp_path_factory.mktemp("slices"))


def test_a_slice_depends_on_seed_epoch_and_clip_alone(dataset: SliceDataset, tmp_path: Path) -> None:
    batch = dataset.random(IDS, 8, seed=3, epoch=2)
    assert batch.mel.shape == (4, 8, 80) and batch.samples.shape == (4, 8 * 256) and batch.ids == IDS
    again = make_dataset(tmp_path).random(["d", "a"], 8, seed=3, epoch=2)
    assert torch.equal(again.mel, batch.mel[[3, 0]]) and torch.equal(again.samples, batch.samples[[3, 0]])
    for seed, epoch in ((3, 1), (4, 2)):
        assert not torch.equal(dataset.random(IDS, 8, seed, epoch).samples[3], batch.samples[3])


def test_the_mel_of_a_slices_samples_is_its_mel(dataset: SliceDataset) -> None:
    """But at the two frames on each side that hear what is cut off."""
    for epoch in range(4):
        batch = dataset.random(["a", "b", "d"], 12, seed=0, epoch=epoch)
        heard = mel_spectrogram(batch.samples, PRESET)
        torch.testing.assert_close(heard[:, 2:-2], batch.mel[:, 2:-2], atol=5e-3, rtol=0)
        assert (heard - batch.mel)[:, [0, -1]].abs().max() > 0.05


def test_every_place_of_a_clip_is_drawn(dataset: SliceDataset) -> None:
    whole = dataset.mel("a")
    starts = set()
    for epoch in range(300):
        first = dataset.random(["a"], 24, seed=0, epoch=epoch).mel[0, 0].numpy()
        starts.add(next(at for at in range(30) if (whole[at] == first).all()))
    assert starts == set(range(7))


def test_a_short_clip_ends_in_silence(dataset: SliceDataset) -> None:
    batch = dataset.random(["c"], 10, seed=0, epoch=0)
    assert torch.equal(batch.mel[0, :7], torch.from_numpy(dataset.mel("c")))
    assert (batch.mel[0, 7:] == math.log(1e-5)).all() and (batch.samples[0, 7 * 256 :] == 0).all()
    assert batch.samples[0, : 7 * 256].abs().min() >= 0 and batch.samples[0, 6 * 256 : 7 * 256].any()


def test_the_middle_is_fixed(dataset: SliceDataset) -> None:
    batch = dataset.middle(["a", "c"], 10)
    assert torch.equal(batch.mel[0], torch.from_numpy(dataset.mel("a")[10:20]))
    assert torch.equal(batch.samples[0], dataset.recordings.slice("a", 10, 10))
    assert torch.equal(batch.mel[1, :7], torch.from_numpy(dataset.mel("c")))


def test_predicted_mels_take_their_share(tmp_path: Path) -> None:
    dataset = make_dataset(tmp_path, predicted=True, share=0.3)
    taken = [float(dataset.random(["a"], 8, 0, epoch).mel.mean()) > 50 for epoch in range(400)]
    assert sum(taken) / 400 == pytest.approx(0.3, abs=0.07)
    always = make_dataset(tmp_path / "always", predicted=True)
    batch = always.random(IDS, 8, 0, 0)
    plain = make_dataset(tmp_path / "plain").random(IDS, 8, 0, 0)
    torch.testing.assert_close(batch.mel[:2], plain.mel[:2] + 100)  # the same frames
    assert torch.equal(batch.mel[2:], plain.mel[2:]) and torch.equal(batch.samples, plain.samples)
    assert float(always.middle(["a"], 8, predicted=True).mel.mean()) > 50 > float(always.middle(["a"], 8).mel.mean())


def test_a_batch_moves_whole(dataset: SliceDataset) -> None:
    batch = dataset.middle(["a"], 8).to("meta")
    assert batch.device.type == batch.mel.device.type == "meta" and batch.ids == ["a"]
