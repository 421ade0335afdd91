"""The Transformer TTS recipe on a toy corpus: its losses by hand, learning, choosing the head, resuming."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from recipes.tts.common.dataset import TtsDataset
from recipes.tts.transformer import RECIPE
from recipes.tts.transformer.config import (
    AugmentSection,
    CheckSection,
    GuideSection,
    LossSection,
    TransformerRecipe,
    TransformerSections,
)
from recipes.tts.transformer.pictures import draw_attention
from recipes.tts.transformer.task import (
    Held,
    TransformerTask,
    boundary_error,
    following_rates,
    stop_loss,
    transformer_losses,
)
from recipes.tts.transformer.train import dataset_of, finish, model_config
from speechkd.align.attention import focus_rate
from speechkd.config import load_config
from speechkd.losses.guided_attention import aligned_attention, guided_attention
from speechkd.models.common.masks import length_mask
from speechkd.models.tts.load import load_model
from speechkd.models.tts.transformer import TransformerTts
from speechkd.models.tts.transformer_config import TransformerNetwork
from speechkd.training.loop import Trained, fit
from speechkd.training.options import AdamWOptions, CosineSchedule, TrainOptions
from tests.recipes.tts.features import write_features

ROOT = Path(__file__).resolve().parents[3]
IDS = ["u0", "u1", "u2", "u3"]
FFT = {"layers": 2, "heads": 2, "conv_channels": 48, "conv_kernel": 3, "dropout": 0.0}
TINY: dict[str, Any] = {"hidden": 32, "encoder": FFT, "decoder": FFT, "prenet": {"layers": 3, "channels": 32}}


class Quiet:
    """A monitor that only counts."""

    def __init__(self) -> None:
        self.rows: list[Mapping[str, Any]] = []

    def row(self, row: Mapping[str, Any]) -> None:
        self.rows.append(row)

    def advance(self, step: int, loss: float) -> None: ...

    def message(self, text: str) -> None: ...


@pytest.fixture(scope="module")
def artifacts(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return write_features(tmp_path_factory.mktemp("artifacts"))


def toy(artifacts: tuple[Path, Path], network: Mapping[str, Any] | None = None, **options: Any) -> TransformerTask:
    torch.manual_seed(0)
    data = dataset_of(*artifacts)
    config = model_config(TransformerNetwork.model_validate(TINY | dict(network or {})), data.symbols, data.statistics)
    return TransformerTask(TransformerTts(config), data, IDS[:3], IDS[2:], batch_frames=400, **options)


@pytest.mark.parametrize("reduction", [1, 2])
def test_losses_are_means_over_real_positions(artifacts: tuple[Path, Path], reduction: int) -> None:
    task = toy(artifacts, {"reduction": reduction, "postnet": {"layers": 2, "channels": 8}})
    batch = task.load(IDS)
    with torch.inference_mode():
        output = task.model.eval()(batch.tokens, batch.token_lengths, batch.mel, batch.mel_lengths)
        found = transformer_losses(output, batch, LossSection(mel="both", stop_weight=0.5), 7.0)
    mel, coarse, stop = [], [], []
    for row, n_frames in enumerate(batch.mel_lengths.tolist()):
        for kept, made in ((mel, output.mel), (coarse, output.coarse)):
            kept += (made[row, :n_frames] - batch.mel[row, :n_frames]).flatten().tolist()
        n_steps = math.ceil(n_frames / reduction)
        for step, logit in enumerate(output.stop_logits[row, :n_steps].tolist()):
            p = 1 / (1 + math.exp(-logit))
            stop.append(-7.0 * math.log(p) if step == n_steps - 1 else -math.log(1 - p))
    for name, values in (("mel", mel), ("coarse", coarse)):
        assert float(found[name]) == pytest.approx(np.mean(np.abs(values)) + np.mean(np.square(values)), rel=1e-4)
    assert float(found["stop"]) == pytest.approx(0.5 * np.mean(stop), rel=1e-4)
    assert found.keys() == {"mel", "coarse", "stop"}


def test_the_stop_loss_looks_at_no_padding() -> None:
    logits = torch.randn(2, 6, generator=torch.Generator().manual_seed(0))
    before = stop_loss(logits, torch.tensor([6, 3]), 6.0)
    logits[1, 3:] = 99.0
    assert torch.equal(before, stop_loss(logits, torch.tensor([6, 3]), 6.0))


def test_the_guide_holds_the_heads_that_it_names_until_its_last_step(artifacts: tuple[Path, Path]) -> None:
    guide = GuideSection(weight=3.0, sigma=0.3, until_step=10, layers=(-1,), heads=1)
    task = toy(artifacts, {"prenet": {"layers": 3, "channels": 32, "dropout": 0.0}}, guide=guide)
    batch = task.load(IDS)
    with torch.inference_mode():
        attention = task.model.eval()(batch.tokens, batch.token_lengths, batch.mel, batch.mel_lengths).attention
        found = task.losses(task.model, batch, 10)
        assert "guide" not in task.losses(task.model, batch, 11)
    expected = 3.0 * guided_attention(attention[:, 1, :1], batch.token_lengths, batch.mel_lengths, 0.3)
    assert float(found["guide"].detach()) == pytest.approx(float(expected.detach()), rel=1e-5)
    endless = toy(artifacts, guide=GuideSection(weight=1.0))
    assert "guide" in endless.losses(endless.model, batch, 10**6)
    assert "guide" not in toy(artifacts).losses(task.model, batch, 1)


def test_noise_goes_to_the_decoder_and_never_to_the_target(artifacts: tuple[Path, Path]) -> None:
    task = toy(artifacts, augment=AugmentSection(input_noise=0.5))
    batch = task.load(IDS)
    true, given = batch.mel.clone(), []
    task.model.register_forward_pre_hook(lambda _, inputs: given.append(inputs[2]))
    task.losses(task.model.train(), batch, 1)
    task.losses(task.model.eval(), batch, 1)
    assert torch.equal(batch.mel, true) and torch.equal(given[1], true)
    noise = (given[0] - true) / task.deviation
    assert float(noise.std()) == pytest.approx(0.5, abs=0.05) and float(noise.mean()) == pytest.approx(0.0, abs=0.05)


def test_dropped_frames_are_the_mean_frame(artifacts: tuple[Path, Path]) -> None:
    task = toy(artifacts, augment=AugmentSection(drop_frames=0.4))
    batch, given = task.load(IDS), []
    task.model.register_forward_pre_hook(lambda _, inputs: given.append(inputs[2]))
    for _ in range(20):
        task.losses(task.model.train(), batch, 1)
    dropped = (torch.stack(given) == task.mean).all(dim=-1)
    assert float(dropped.float().mean()) == pytest.approx(0.4, abs=0.03)
    kept = torch.stack(given)[~dropped]
    assert torch.equal(kept, batch.mel.expand(20, -1, -1, -1)[~dropped])


def test_its_own_frames_are_those_of_a_first_pass(artifacts: tuple[Path, Path]) -> None:
    dry = {"prenet": {"layers": 1, "channels": 32, "dropout": 0.0}}
    task = toy(artifacts, dry, augment=AugmentSection(own_frames=0.3))
    batch, given = task.load(IDS), []
    task.model.register_forward_pre_hook(lambda _, inputs: given.append(inputs[2]))
    task.losses(task.model.train(), batch, 1)
    first, second = given
    assert torch.equal(first, batch.mel) and not second.requires_grad
    with torch.no_grad():
        own = task.model(batch.tokens, batch.token_lengths, batch.mel, batch.mel_lengths).coarse
    is_own = torch.isclose(second, own, atol=1e-5).all(dim=-1)
    assert torch.equal(second[~is_own], batch.mel[~is_own])
    real = length_mask(batch.mel_lengths)
    assert float(is_own[real].float().mean()) == pytest.approx(0.3, abs=0.1)


def test_the_clock_is_set_and_runs_within_its_bounds(artifacts: tuple[Path, Path]) -> None:
    task = toy(artifacts, augment=AugmentSection(clock_shift=20.0, clock_rate=0.3, own_frames=0.5))
    batch, clocks = task.load(IDS), []
    task.model.register_forward_pre_hook(lambda _, inputs, named: clocks.append(named["clock"]), with_kwargs=True)
    for _ in range(30):
        task.losses(task.model.train(), batch, 1)
    assert all(first is second for first, second in zip(clocks[::2], clocks[1::2], strict=True)), "one clock a step"
    drawn = torch.cat(clocks[::2])
    for column, middle, most in ((0, 0.0, 20.0), (1, 1.0, 0.3)):
        away = (drawn[:, column] - middle) / most
        assert float(away.abs().max()) <= 1.0 and float(away.std()) == pytest.approx(1 / math.sqrt(3), abs=0.1)
    task.losses(task.model.eval(), batch, 1)
    assert clocks[-1] is None


def test_the_aligner_can_guide(artifacts: tuple[Path, Path]) -> None:
    task = toy(artifacts, guide=GuideSection(by="alignment", weight=0.5, layers=(0,)))
    batch = task.load(IDS)
    torch.manual_seed(1)
    found = task.losses(task.model.train(), batch, 1)
    torch.manual_seed(1)
    attention = task.model(batch.tokens, batch.token_lengths, batch.mel, batch.mel_lengths).attention
    expected = 0.5 * aligned_attention(attention[:, 0], batch.variances.durations, batch.mel_lengths)
    assert float(found["guide"].detach()) == pytest.approx(float(expected.detach()), rel=1e-5)


def test_a_toy_corpus_is_learned_spoken_and_read_off(artifacts: tuple[Path, Path], tmp_path: Path) -> None:
    """The losses fall; it then speaks a known text freely, stops, and its head finds the planted durations."""
    held: list[Held] = []
    guide = GuideSection(weight=2.0, layers=(-2, -1))
    dry = {"prenet": {"layers": 1, "channels": 32, "dropout": 0.0}}
    task = toy(artifacts, dry, guide=guide, check=CheckSection(spoken=1), watch=held.append)
    batch = task.load(IDS)
    optimizer = torch.optim.Adam(task.model.parameters(), lr=4e-3)
    history = []
    for step in range(1, 161):
        torch.manual_seed(step)
        losses = task.losses(task.model.train(), batch, step)
        sum(losses.values()).backward()  # type: ignore[union-attr]
        optimizer.step()
        optimizer.zero_grad()
        history.append({name: value.item() for name, value in losses.items()})
    for name in ("mel", "stop", "guide"):
        assert history[-1][name] < 0.3 * history[0][name], name
    figures = task.validate(task.model.eval(), torch.device("cpu"))
    assert figures["focus_rate"] > 0.6 and figures["unstopped"] == 0 and abs(figures["free_length"] - 1) < 0.2
    parts = figures["free_mel"] + figures["unstopped"] + 1 - figures["focus_rate"]
    assert figures["misfit"] == pytest.approx(parts)
    assert figures["loss"] == pytest.approx(figures["mel"] + figures["stop"])
    assert held[0].step == 160 and held[0].rates.shape == (2, 2)
    check_finished(task, tmp_path)


def check_finished(task: TransformerTask, folder: Path) -> None:
    """The stored model knows its head, and the head its durations."""
    assert isinstance(task.model, TransformerTts)
    head = finish(folder, task.model, task.dataset, IDS[2:])
    record = json.loads((folder / "head.json").read_text())
    rates = np.asarray(record["rates"])
    assert (record["layer"], record["head"]) == divmod(int(rates.argmax()), 2)
    assert record["focus_rate"] == pytest.approx(rates.max(), abs=1e-5)
    assert sorted(path.name for path in (folder / "attention").iterdir()) == ["u2.png", "u3.png"]
    loaded = load_model(folder)
    assert loaded.config.head == (head.layer, head.head)
    batch = task.dataset.batch(["u3"])
    spoken = loaded.infer(batch.tokens, batch.token_lengths)
    assert int(spoken.durations.sum()) == int(spoken.mel_lengths[0])
    with torch.inference_mode():
        output = loaded(batch.tokens, batch.token_lengths, batch.mel, batch.mel_lengths)
    errors = (loaded.durations(output.attention[0]) - batch.variances.durations[0]).abs().float()
    assert float(errors.mean()) < 1.0


def test_a_head_that_rests_on_one_token_follows_nothing() -> None:
    resting, following = np.eye(5)[[2] * 9], 0.8 * np.eye(5)[[0, 0, 1, 1, 2, 3, 3, 4, 4]] + 0.04
    attention = np.stack([resting, following])[None].astype(np.float32)
    assert focus_rate(attention).argmax() == 0
    assert following_rates(attention).tolist() == [[0.0, pytest.approx(0.84)]]


def test_boundaries_are_compared_where_tokens_last() -> None:
    head = np.eye(4, dtype=np.float32)[[0, 0, 0, 1, 3, 3]]  # ends at 3, 4, 4
    assert boundary_error(head, np.array([1, 3, 0, 2])) == pytest.approx((2 + 0) / 2)
    assert boundary_error(head, np.array([3, 1, 0, 2])) == 0.0
    assert boundary_error(head[:, :1], np.array([6])) == 0.0


def test_validation_does_not_depend_on_who_shares_a_batch(artifacts: tuple[Path, Path]) -> None:
    task = toy(artifacts)
    figures = task.validate(task.model.eval(), torch.device("cpu"))
    rates, attentions = [], []
    for id_ in IDS[2:]:
        batch = task.dataset.batch([id_])
        with torch.inference_mode():
            output = task.model(batch.tokens, batch.token_lengths, batch.mel, batch.mel_lengths)
        rates.append(following_rates(output.attention[0].numpy()))
        attentions.append((output.attention[0].numpy(), batch.variances.durations[0].numpy()))
    assert figures["focus_rate"] == pytest.approx(np.mean(rates, axis=0).max(), rel=1e-5)
    layer, head = divmod(int(np.mean(rates, axis=0).argmax()), 2)
    errors = [boundary_error(attention[layer, head], durations) for attention, durations in attentions]
    assert figures["boundary_frames"] == pytest.approx(np.mean(errors))


def options(**changes: Any) -> TrainOptions:
    base: dict[str, Any] = {
        "max_steps": 6, "batch_frames": 60, "threads": 1, "precision": "fp32",
        "schedule": CosineSchedule(warmup_steps=2),
        "optimizer": AdamWOptions(learning_rate=1e-3), "log_every_steps": 2, "valid_every_steps": 3,
        "checkpoint_every_steps": 1, "best_by": "misfit", "ema_decay": 0.9,
    }  # fmt: skip
    return TrainOptions(**(base | changes))


def trained(artifacts: tuple[Path, Path], work: Path, killed_at: int = 0) -> Trained:
    """A run, killed by a signal after a step and started again if so asked."""
    augment = AugmentSection(input_noise=0.2)

    def task() -> TransformerTask:
        return toy(artifacts, augment=augment, guide=GuideSection(weight=1.0), check=CheckSection(spoken=1))

    if killed_at:
        broken, real = task(), TransformerTask.losses

        def fails(model: Any, batch: Any, step: int) -> Any:
            if step > killed_at:
                raise KeyboardInterrupt
            return real(broken, model, batch, step)

        broken.losses = fails  # type: ignore[method-assign]
        with pytest.raises(KeyboardInterrupt):
            fit(broken, options(), work, Quiet())
    return fit(task(), options(), work, Quiet())


def test_a_resumed_training_is_an_unbroken_one(artifacts: tuple[Path, Path], tmp_path: Path) -> None:
    whole, resumed = trained(artifacts, tmp_path / "a"), trained(artifacts, tmp_path / "b", killed_at=4)
    assert whole.progress.history == resumed.progress.history and whole.progress.step == 6
    assert whole.weights.keys() == resumed.weights.keys()
    for name, value in whole.weights.items():
        assert torch.equal(value, resumed.weights[name]), name


def test_epochs_are_planned_from_the_training_utterances(artifacts: tuple[Path, Path]) -> None:
    task = toy(artifacts)
    for epoch in range(3):
        assert sorted(itertools.chain(*task.epoch(5, epoch))) == IDS[:3]


def test_the_dataset_is_the_common_one(artifacts: tuple[Path, Path]) -> None:
    data = dataset_of(*artifacts)
    assert isinstance(data, TtsDataset) and data.example("u1").wavelet is None


def test_pictures_are_the_same_bytes_each_time(tmp_path: Path) -> None:
    attention = np.random.default_rng(0).dirichlet(np.ones(5), (2, 2, 9)).astype(np.float32)
    for name in "ab":
        draw_attention(tmp_path / f"{name}.png", attention, "title", list("vwxyz"))
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_a_guide_for_heads_that_are_not_there_is_told() -> None:
    sections = {"train": {"max_steps": 9, "schedule": {"name": "cosine", "warmup_steps": 1}}}
    wrong = TransformerSections.model_validate(sections | {"guide": {"layers": [6, -7, 5], "heads": 3}})
    assert [path for path, _ in wrong.problems()] == ["guide.layers", "guide.layers", "guide.heads"]
    assert not list(TransformerSections.model_validate(sections).problems())


@pytest.mark.parametrize("corpus", ["kathleen", "ljspeech", "mini"])
def test_the_egs_load(corpus: str) -> None:
    config = load_config(ROOT / "egs" / corpus / "tts1" / "conf" / "transformer.yaml", TransformerRecipe)
    assert config.recipe == RECIPE.name and config.corpus.name == corpus
    assert config.run.dir == ROOT / "exp" / corpus / "transformer"


def test_the_presets_are_the_papers_and_a_small_one(tmp_path: Path) -> None:
    for preset in ("paper", "small"):
        (tmp_path / f"{preset}.yaml").write_text(
            f"base: {ROOT}/recipes/tts/transformer/conf/{preset}.yaml\nrun: {{dir: run}}\n"
            "corpus: {name: mini}\npack: {name: mini}\n"
        )
    paper, small = (load_config(tmp_path / f"{preset}.yaml", TransformerRecipe) for preset in ("paper", "small"))
    assert (paper.model.hidden, paper.model.encoder.layers, paper.model.decoder.layers) == (384, 6, 6)
    assert paper.model.decoder.heads == 2 and paper.model.decoder.conv_channels == 1024
    assert paper.train.schedule.name == "noam" and paper.model.reduction == small.model.reduction == 1
    assert paper.model == TransformerNetwork()
