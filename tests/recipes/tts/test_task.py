"""FastSpeech 2's losses by hand, and that a tiny model can learn with them."""

from __future__ import annotations

import itertools
import math
from pathlib import Path

import numpy as np
import pytest
import torch

from recipes.tts.common.dataset import Batch, TtsDataset
from recipes.tts.fastspeech2.config import AugmentSection
from recipes.tts.fastspeech2.task import FastSpeech2Task, fastspeech2_losses
from recipes.tts.fastspeech2.train import model_config
from speechkd.models.tts.config import NetworkConfig
from speechkd.models.tts.fastspeech2 import FastSpeech2, Prediction
from speechkd.text import ENGLISH_SYMBOLS, is_pause
from tests.recipes.tts.features import TINY_NETWORKS, write_features

IDS = ["u0", "u1", "u2", "u3"]


@pytest.fixture(scope="module")
def artifacts(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return write_features(tmp_path_factory.mktemp("artifacts"))


def task(artifacts: tuple[Path, Path], kind: str) -> FastSpeech2Task:
    torch.manual_seed(0)
    data = TtsDataset(*artifacts, NetworkConfig.model_validate(TINY_NETWORKS[kind]))
    model = FastSpeech2(model_config(data.network, data.symbols, data.statistics))
    return FastSpeech2Task(model, data, IDS[:3], IDS[3:], batch_frames=400)


def losses_by_hand(prediction: Prediction, batch: Batch, data: TtsDataset, kind: str) -> dict[str, float]:
    """Every mean collected value by value, over valid positions of all rows."""
    mel, duration, pitch, voicing, energy = ([] for _ in range(5))
    stats = data.statistics
    wavelet: list[float] = []
    statistics: list[list[float]] = []
    for row, (n_frames, n_tokens) in enumerate(
        zip(batch.mel_lengths.tolist(), batch.token_lengths.tolist(), strict=True)
    ):
        mel += (prediction.mel[row, :n_frames] - batch.mel[row, :n_frames]).abs().flatten().tolist()
        frames = batch.variances.durations[row, :n_tokens]
        duration += [
            (p - math.log(d + 1)) ** 2
            for p, d in zip(prediction.log_durations[row].tolist(), frames.tolist(), strict=False)
        ]
        valid = range(n_frames) if kind != "small" else [t for t in range(n_tokens) if frames[t] > 0]
        pauses = [t for t in range(n_tokens) if not frames[t]] if kind == "small" else []
        assert kind != "small" or all(is_pause(data.symbols.symbols[batch.tokens[row, t]]) or t == 0 for t in pauses)
        for t in [*valid, *pauses]:
            spoken = float(batch.variances.energy[row, t] - stats.energy_mean) / stats.energy_deviation
            energy.append((float(prediction.energy.values[row, t]) - spoken) ** 2)
            if t in pauses:  # of no pitch
                continue
            said = (math.log(batch.variances.pitch_hz[row, t]) - stats.log_f0_mean) / stats.log_f0_deviation
            voiced = bool(batch.variances.voiced[row, t])
            if kind == "small" or (kind == "frames" and voiced):
                pitch.append((float(prediction.pitch.values[row, t, 0]) - said) ** 2)
            p = 1 / (1 + math.exp(-float(prediction.pitch.voicing[row, t])))
            voicing.append(-math.log(p if voiced else 1 - p))
        if kind == "paper":
            assert batch.wavelet is not None and prediction.pitch.statistics is not None
            difference = prediction.pitch.values[row, :n_frames] - batch.wavelet[row, :n_frames]
            wavelet += difference.square().flatten().tolist()
            statistics.append((prediction.pitch.statistics[row] - batch.pitch_statistics[row]).square().tolist())
    total = {
        "paper": lambda: np.mean(wavelet) + np.mean(statistics, axis=0).sum() + np.mean(voicing),
        "frames": lambda: np.mean(pitch) + np.mean(voicing),
        "small": lambda: np.mean(pitch),
    }[kind]()
    return {"mel": np.mean(mel), "duration": np.mean(duration), "pitch": total, "energy": np.mean(energy)}


@pytest.mark.parametrize("kind", TINY_NETWORKS)
def test_losses_are_means_over_valid_positions(artifacts: tuple[Path, Path], kind: str) -> None:
    toy = task(artifacts, kind)
    batch = toy.load(IDS)
    with torch.inference_mode():
        prediction = toy.model.eval()(batch.tokens, batch.token_lengths, batch.variances)
        found = fastspeech2_losses(prediction, batch, toy.dataset.statistics)
    expected = losses_by_hand(prediction, batch, toy.dataset, kind)
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        assert float(found[name]) == pytest.approx(value, rel=1e-4), name


def test_the_mel_may_be_learned_by_squares_too(artifacts: tuple[Path, Path]) -> None:
    toy = task(artifacts, "small")
    batch = toy.load(IDS)
    with torch.inference_mode():
        prediction = toy.model.eval()(batch.tokens, batch.token_lengths, batch.variances)
        found = {
            kind: float(fastspeech2_losses(prediction, batch, toy.dataset.statistics, kind)["mel"])
            for kind in ("l1", "mse", "both")
        }
    errors = [(prediction.mel[row, :n] - batch.mel[row, :n]).flatten() for row, n in enumerate(batch.mel_lengths)]
    assert found["mse"] == pytest.approx(float(torch.cat(errors).square().mean()), rel=1e-4)
    assert found["both"] == pytest.approx(found["l1"] + found["mse"], rel=1e-5)


@pytest.mark.parametrize("kind", TINY_NETWORKS)
def test_gradients_reach_every_parameter(artifacts: tuple[Path, Path], kind: str) -> None:
    toy = task(artifacts, kind)
    sum(toy.losses(toy.model.train(), toy.load(IDS)).values()).backward()  # type: ignore[union-attr]
    for name, parameter in toy.model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all() and parameter.grad.abs().sum() > 0, name


@pytest.mark.parametrize("kind", ["paper", "small"])
def test_a_tiny_model_learns_a_batch_by_heart(artifacts: tuple[Path, Path], kind: str) -> None:
    toy = task(artifacts, kind)
    batch = toy.load(IDS[:2])
    optimizer = torch.optim.Adam(toy.model.parameters(), lr=5e-3)
    history = []
    for _ in range(120):
        losses = toy.losses(toy.model.train(), batch)
        sum(losses.values()).backward()  # type: ignore[union-attr]
        optimizer.step()
        optimizer.zero_grad()
        history.append({name: value.item() for name, value in losses.items()})
    for name in ("mel", "duration", "energy"):
        assert history[-1][name] < 0.2 * history[0][name], name
    assert history[-1]["pitch"] < 0.5 * history[0]["pitch"]
    spoken = toy.model.eval().infer(batch.tokens, batch.token_lengths)
    assert (spoken.durations - batch.variances.durations).abs().max() <= 1


@pytest.mark.parametrize("kind", TINY_NETWORKS)
def test_validation_does_not_depend_on_who_shares_a_batch(artifacts: tuple[Path, Path], kind: str) -> None:
    toy = task(artifacts, kind)
    device = torch.device("cpu")
    figures = toy.validate(toy.model.eval(), device)
    assert figures["loss"] == pytest.approx(sum(figures[name] for name in ("mel", "duration", "pitch", "energy")))
    batch = toy.load(IDS)
    with torch.inference_mode():
        together = toy.model(batch.tokens, batch.token_lengths, batch.variances)
    n_frames = int(batch.mel_lengths[3])
    mel = (together.mel[3, :n_frames] - batch.mel[3, :n_frames]).abs().mean()
    assert figures["mel"] == pytest.approx(float(mel), rel=1e-4)


def test_a_share_of_the_utterances_hears_what_the_model_predicts(artifacts: tuple[Path, Path]) -> None:
    toy = task(artifacts, "small")
    assert toy.load(IDS).variances.own is None
    assert "own_mel" not in toy.validate(toy.model.eval(), torch.device("cpu"))
    toy.augment = AugmentSection(own_variances=0.5)
    drawn = []
    for epoch in range(40):
        toy.epoch(1, epoch)
        own = toy.load(IDS).variances.own
        assert own is not None and own.tolist() == [bool(toy.load([id_]).variances.own) for id_ in IDS]
        drawn += own.tolist()
    assert 0.35 < sum(drawn) / len(drawn) < 0.65
    figures = toy.validate(toy.model.eval(), torch.device("cpu"))
    batch = toy.dataset.batch(IDS[3:])
    made = toy.model.infer(batch.tokens, batch.token_lengths, durations=batch.variances.durations)
    assert figures["own_mel"] == pytest.approx(float((made.mel - batch.mel).abs().mean()), rel=1e-4)
    assert figures["own_mel"] != pytest.approx(figures["mel"], rel=1e-4)


def test_epochs_are_planned_from_the_training_utterances(artifacts: tuple[Path, Path]) -> None:
    toy = task(artifacts, "small")
    for epoch in range(3):
        assert sorted(itertools.chain(*toy.epoch(5, epoch))) == IDS[:3]


def test_an_epoch_can_be_read_from_front_to_back(artifacts: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """With a window of one shard no batch mixes shards; without one, some epoch's batch does."""
    toy = task(artifacts, "small")
    toy.batch_frames = 10_000  # all three would fit
    monkeypatch.setattr(toy.dataset.features, "shards", lambda: {"first": [IDS[0], IDS[2]], "second": [IDS[1], IDS[3]]})
    assert {frozenset(batch) for batch in toy.epoch(5, 0)} == {frozenset(IDS[:3])}
    toy.window_shards = 1
    assert {frozenset(batch) for batch in toy.epoch(5, 0)} == {frozenset([IDS[0], IDS[2]]), frozenset([IDS[1]])}


def test_only_pauses_and_the_opening_may_last_no_frame(artifacts: tuple[Path, Path]) -> None:
    toy = task(artifacts, "small")
    config = model_config(toy.dataset.network, toy.dataset.symbols, toy.dataset.statistics)
    may_pause = {ENGLISH_SYMBOLS.symbols[i] for i in config.pause_ids}
    assert {"|", ",", ".", "?", "^"} <= may_pause
    assert may_pause == {symbol for symbol in ENGLISH_SYMBOLS.symbols if is_pause(symbol)} | {"^"}
    assert not any(symbol[0].isalpha() for symbol in may_pause)
