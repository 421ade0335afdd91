"""The game's losses against formulas written out, on a generator of two weights; a killed run is the run it was."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from recipes.vocoder.common.config import AdversarialSection, LossSection
from recipes.vocoder.common.task import MelLoss, VocoderTask
from speechkd.audio.mel import mel_spectrogram
from speechkd.losses.adversarial import discriminator_loss, generator_loss
from speechkd.training.loop import Trained, fit
from speechkd.training.opponent import AdversarialTask
from tests.recipes.vocoder.made_up import LENGTHS, PRESET, Listener, Repeating, Sections, make_dataset
from tests.training.test_loop import Killed, Recorder, assert_same_run, last_state

SPLITS = (["a", "b", "d"], ["c", "d"])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("task")


def make_task(folder: Path, predicted: bool = False, **changes: object) -> VocoderTask:
    torch.manual_seed(0)
    dataset = make_dataset(folder / str(predicted), predicted)
    return VocoderTask(Repeating(), Listener(), dataset, SPLITS, Sections(**changes))


def full_band_mel(samples: torch.Tensor) -> torch.Tensor:
    return mel_spectrogram(samples, replace(PRESET, fmax_hz=11025.0))


def test_every_term_by_hand(folder: Path) -> None:
    task = make_task(folder)
    task.epoch(0, 0)
    batch = task.load(["a", "d"])
    assert set(task.losses(task.model, batch, 2)) == {"mel"} and task.opponent_losses(task.opponent, batch, 2) == {}
    terms = task.losses(task.model, batch, 3)
    made = ((0.05 * batch.mel.mean(dim=2) + 0.01)[:, :, None] * torch.linspace(-1, 1, 256)).flatten(1)
    real = batch.samples
    mel = 45 * (full_band_mel(made) - full_band_mel(real)).abs().mean()
    power = {name: x.square().mean(dim=1) for name, x in (("made", made), ("real", real))}
    adversarial = sum((w**2 * power["made"] - 1).square().mean() for w in (0.5, 2.0))
    matching = 2 * sum(
        (w * (real - made)).abs().mean() + (w**2 * (power["real"] - power["made"])).abs().mean() for w in (0.5, 2.0)
    )
    expected = {"mel": mel, "adversarial": adversarial, "matching": matching}
    assert {name: float(value.detach()) for name, value in terms.items()} == pytest.approx(
        {name: float(value) for name, value in expected.items()}, rel=1e-5
    )
    told = sum((w**2 * power["real"] - 1).square().mean() + (w**2 * power["made"]).square().mean() for w in (0.5, 2.0))
    found = task.opponent_losses(task.opponent, batch, 3)
    assert float(found["discriminator"].detach()) == pytest.approx(float(told), rel=1e-5)


def test_what_flows_where(folder: Path) -> None:
    task = make_task(folder)
    task.epoch(0, 0)
    batch = task.load(["a", "d"])
    sum(task.losses(task.model, batch, 3).values()).backward()  # type: ignore[union-attr]
    assert task.model.gain.grad is not None
    task.model.zero_grad()
    task.opponent.zero_grad()
    task.opponent_losses(task.opponent, batch, 3)["discriminator"].backward()
    assert task.opponent.weight.grad is not None and task.model.gain.grad is None


def test_weights_choose_the_terms(folder: Path) -> None:
    plain = make_task(folder, losses=LossSection(mel=0, stft=1.5), adversarial=AdversarialSection(weight=0))
    plain.epoch(0, 0)
    assert set(plain.losses(plain.model, plain.load(["a"]), 10)) == {"stft"} and not plain.playing(10)
    game = make_task(folder, losses=LossSection(matching=0), adversarial=AdversarialSection(weight=3))
    game.epoch(0, 0)
    terms = game.losses(game.model, game.load(["a"]), 1)
    assert set(terms) == {"mel", "adversarial"}


def test_a_share_of_the_slices_is_judged_and_each_in_its_turn(folder: Path) -> None:
    task = make_task(folder, adversarial=AdversarialSection(share=0.5), losses=LossSection(matching=2))
    task.epoch(0, 0)
    batch = task.load(["a", "b", "c"])
    heard = [task.judged(3, step) for step in range(1, 4)]
    assert all(len(rows) == 2 for rows in heard)
    assert sorted(row for rows in heard for row in rows) == [0, 0, 1, 1, 2, 2]
    assert make_task(folder).judged(3, 5) == [0, 1, 2]
    for step in (1, 2):
        terms = task.losses(task.model, batch, step)
        rows = task.judged(3, step)
        with torch.no_grad():
            made, true = task.model(batch.mel.transpose(1, 2))[rows], batch.samples[rows]
            verdicts = [[each.verdict for each in task.opponent(samples)] for samples in (true, made)]
        assert float(terms["adversarial"].detach()) == pytest.approx(float(generator_loss(verdicts[1])), rel=1e-5)
        loss = task.opponent_losses(task.opponent, batch, step)["discriminator"]
        assert float(loss.detach()) == pytest.approx(float(discriminator_loss(*verdicts)), rel=1e-5)


def test_the_mel_of_the_loss_reaches_the_highest_frequency() -> None:
    t = torch.arange(8192) / 22050
    noise = 0.1 * torch.randn(8192, generator=torch.Generator().manual_seed(0))
    whistling = noise + torch.sin(2 * torch.pi * 10_000 * t)
    loss = MelLoss(PRESET)
    assert float(loss(noise[None], noise[None])) == 0
    heard = [mel_spectrogram(each[None], PRESET)[:, 2:-2] for each in (noise, whistling)]
    assert float(loss(whistling[None], noise[None])) > 5 * float((heard[0] - heard[1]).abs().mean())


def test_validation_is_over_fixed_slices(folder: Path) -> None:
    task = make_task(folder)
    found = task.validate(task.model, torch.device("cpu"))
    rows = []
    for id_ in SPLITS[1]:
        batch = task.dataset.middle([id_], 12)
        with torch.inference_mode():
            made = task.model(batch.mel.transpose(1, 2))
            rows.append(float((full_band_mel(made) - full_band_mel(batch.samples)).abs().mean()))
    mean = sum(rows) / 2
    assert found == pytest.approx({"mel": 45 * mean, "loss": 45 * mean, "mel_l1": mean}, rel=1e-5)
    assert task.validate(task.model, torch.device("cpu")) == found


def test_validation_with_predicted_mels(folder: Path) -> None:
    task = make_task(folder, predicted=True)
    task.valid_ids = ["a", "b"]
    found = task.validate(task.model, torch.device("cpu"))
    assert found["loss"] == found["mel_predicted"] == pytest.approx(45 * found["mel_l1_predicted"])
    assert found["mel_l1_predicted"] != found["mel_l1"] and "loss_predicted" not in found


def test_an_epoch_is_every_clip_once(folder: Path) -> None:
    task = make_task(folder)
    batches = task.epoch(5, 1)
    assert sorted(id_ for ids in batches for id_ in ids) == SPLITS[0] and max(map(len, batches)) == 2
    assert task.epoch(5, 1) == batches and isinstance(task, AdversarialTask) and LENGTHS["d"] > 8


def start(folder: Path, work: Path, die_at: int = 0) -> Trained:
    task = make_task(folder)
    return fit(task, Sections().train, work, Recorder(die_at=die_at))


@pytest.mark.parametrize("steps", [(2,), (3, 6), (1, 4, 7)])
def test_a_killed_run_ends_like_one_that_was_not(folder: Path, tmp_path: Path, steps: tuple[int, ...]) -> None:
    whole = start(folder, tmp_path / "whole")
    for step in steps:
        with pytest.raises(Killed):
            start(folder, tmp_path / "killed", die_at=step)
    assert_same_run(start(folder, tmp_path / "killed"), whole, tmp_path)
    assert last_state(tmp_path / "killed") == last_state(tmp_path / "whole")
    game = {"adversarial", "matching", "discriminator"}
    assert [game <= row.keys() for row in whole.progress.history if row["kind"] == "train"] == [False, True, True]
