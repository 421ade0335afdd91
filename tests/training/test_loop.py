"""The training loop on a toy task: a run that was killed ends with the same bytes as one that was not."""

from __future__ import annotations

import itertools
import json
import os
import random
import shutil
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from speechkd.errors import ConfigError, StageError
from speechkd.training.checkpoint import checkpoints, read_checkpoint
from speechkd.training.loop import Trained, fit
from speechkd.training.options import AdamWOptions, CosineSchedule, NoamSchedule, TrainOptions
from speechkd.training.seeds import derive_seed

ITEMS = [f"item{i:02d}" for i in range(12)]


class ToyTask:
    """Fits y = w·x by a linear layer behind dropout and a batch norm (whose counter is not a float)."""

    def __init__(self, valid: Sequence[float] | None = None) -> None:
        torch.manual_seed(7)
        self.model: nn.Module = nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6), nn.Dropout(0.3), nn.Linear(6, 1))
        self.loaded: list[list[str]] = []
        self.valid = list(valid or [])
        self.poison_step = 0

    def epoch(self, seed: int, epoch: int) -> list[list[str]]:
        order = list(ITEMS)
        random.Random(f"{seed}/{epoch}").shuffle(order)
        return [order[i : i + 3] for i in range(0, 12, 3)]

    def load(self, ids: Sequence[str]) -> Tensor:
        self.loaded.append(list(ids))
        rows = [torch.randn(4, generator=torch.Generator().manual_seed(int(each[-2:]))) for each in ids]
        return torch.stack(rows)

    def losses(self, model: nn.Module, batch: Tensor, step: int = 0) -> Mapping[str, Tensor]:
        error = model(batch).squeeze(-1) - batch.sum(dim=1)
        terms = {"fit": error.square().mean(), "size": 0.01 * error.abs().mean()}
        if self.poison_step and len(self.loaded) >= self.poison_step:
            terms["size"] = terms["size"] * float("nan")
        return terms

    def validate(self, model: nn.Module, device: torch.device) -> Mapping[str, float]:
        assert not model.training
        if self.valid:
            return {"loss": self.valid.pop(0)}
        with torch.inference_mode():
            terms = self.losses(model, torch.randn(16, 4, generator=torch.Generator().manual_seed(99)))
        return {"loss": float(sum(terms.values())), "mel": float(terms["fit"])}


class Recorder:
    """A monitor that keeps everything, and can kill the run or signal it at a step."""

    def __init__(self, die_at: int = 0, signal_at: int = 0, number: int = signal.SIGTERM) -> None:
        self.rows: list[Mapping[str, Any]] = []
        self.steps: list[int] = []
        self.messages: list[str] = []
        self.die_at, self.signal_at, self.number = die_at, signal_at, number

    def row(self, row: Mapping[str, Any]) -> None:
        self.rows.append(row)

    def advance(self, step: int, loss: float) -> None:
        self.steps.append(step)
        if step == self.die_at and loss == loss:
            raise Killed
        if step == self.signal_at and loss == loss:
            os.kill(os.getpid(), self.number)

    def message(self, text: str) -> None:
        self.messages.append(text)


class Killed(Exception):
    """Stands for kill -9: nothing is written on the way out."""


def options(**changes: Any) -> TrainOptions:
    values: dict[str, Any] = {
        "max_steps": 20, "optimizer": AdamWOptions(learning_rate=0.02, weight_decay=0.01),
        "schedule": CosineSchedule(warmup_steps=4), "ema_decay": 0.9, "accumulate": 1, "device": "cpu",
        "precision": "fp32", "threads": 1, "log_every_steps": 3, "valid_every_steps": 5, "checkpoint_every_steps": 4,
    }  # fmt: skip
    return TrainOptions(**(values | changes))


def run(folder: Path, how: TrainOptions, **monitor: Any) -> tuple[Trained, Recorder]:
    recorder = Recorder(**monitor)
    return fit(ToyTask(), how, folder, recorder), recorder


def history(trained: Trained, path: Path) -> list[str]:
    trained.write_history(path)
    return path.read_text().splitlines()


def assert_same_run(found: Trained, expected: Trained, folder: Path) -> None:
    """Weights and history to the last bit."""
    assert found.weights.keys() == expected.weights.keys()
    for name, value in expected.weights.items():
        assert found.weights[name].equal(value), name
    assert history(found, folder / "a.jsonl") == history(expected, folder / "b.jsonl")
    assert vars(found.progress) == vars(expected.progress)


def last_state(folder: Path) -> dict[str, bytes]:
    """Every byte of the newest checkpoint: weights, optimiser, average, best, progress."""
    return {path.name: path.read_bytes() for path in checkpoints(folder)[-1].iterdir()}


VARIANTS: dict[str, dict[str, Any]] = {
    "plain": {"ema_decay": 0.0},
    "average": {},
    "accumulate": {"accumulate": 3},
    "noam by mel": {"schedule": NoamSchedule(warmup_steps=4), "best_by": "mel"},
}


KILLS = [("average", steps) for steps in ((2,), (5,), (20,), (1, 7, 16, 19))] + [(name, (9, 10)) for name in VARIANTS]


@pytest.mark.parametrize(("variant", "steps"), KILLS)
def test_a_killed_run_ends_like_one_that_was_not(tmp_path: Path, variant: str, steps: tuple[int, ...]) -> None:
    """Killed before the first checkpoint, between two, at a validation, in the last step, and again and again."""
    how = options(**VARIANTS[variant])
    whole, _ = run(tmp_path / "whole", how)
    for step in steps:
        with pytest.raises(Killed):
            run(tmp_path / "killed", how, die_at=step)
    resumed, recorder = run(tmp_path / "killed", how)
    assert_same_run(resumed, whole, tmp_path)
    assert last_state(tmp_path / "killed") == last_state(tmp_path / "whole")
    restart = (steps[-1] - 1) // 4 * 4
    assert recorder.steps == list(range(restart + (not restart), 21))
    # Whoever joins late is told the whole story.
    assert [dict(row) for row in recorder.rows] == whole.progress.history


@pytest.mark.parametrize(
    ("number", "step"), [(signal.SIGTERM, 1), (signal.SIGTERM, 8), (signal.SIGINT, 6), (signal.SIGINT, 20)]
)
def test_a_signal_ends_the_step_and_the_run_goes_on_from_there(tmp_path: Path, number: int, step: int) -> None:
    whole, _ = run(tmp_path / "whole", options())
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "cut", options(), signal_at=step, number=number)
    assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == before
    assert checkpoints(tmp_path / "cut")[-1].name == f"step-{step:08d}"
    resumed, recorder = run(tmp_path / "cut", options())
    assert recorder.messages == [f"resumed from step {step}"]
    assert recorder.steps == list(range(step, 21))
    assert_same_run(resumed, whole, tmp_path)


@pytest.mark.parametrize("name", ["model.safetensors", "optimizer.safetensors", "average.safetensors", "state.json"])
@pytest.mark.parametrize("damage", ["cut", "flipped", "deleted"])
def test_a_torn_checkpoint_gives_way_to_the_one_before_it(tmp_path: Path, name: str, damage: str) -> None:
    whole, _ = run(tmp_path / "whole", options())
    with pytest.raises(Killed):
        run(tmp_path / "torn", options(), die_at=15)
    torn = tmp_path / "torn" / "step-00000012" / name
    data = torn.read_bytes()
    if damage == "deleted":
        torn.unlink()
    elif damage == "cut":
        torn.write_bytes(data[: len(data) // 2])
    else:
        # In the middle of the tensors; of state.json, in the first digit behind "best_step".
        place = len(data) // 2 if name != "state.json" else data.index(b'"best_step": ') + len(b'"best_step": ')
        torn.write_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
    resumed, recorder = run(tmp_path / "torn", options())
    assert str(torn) in recorder.messages[0] and "checkpoint before it" in recorder.messages[0]
    assert recorder.messages[1:] == ["resumed from step 8"] and recorder.steps[0] == 8
    assert_same_run(resumed, whole, tmp_path)
    assert last_state(tmp_path / "torn") == last_state(tmp_path / "whole")


def test_without_a_whole_checkpoint_the_run_starts_over(tmp_path: Path) -> None:
    whole, _ = run(tmp_path / "whole", options())
    with pytest.raises(Killed):
        run(tmp_path / "torn", options(), die_at=15)
    for folder in checkpoints(tmp_path / "torn"):
        (folder / "state.json").write_bytes(b"")
    shutil.rmtree(tmp_path / "torn" / "best")
    resumed, recorder = run(tmp_path / "torn", options())
    assert len(recorder.messages) == 2 and recorder.steps == list(range(1, 21))
    assert_same_run(resumed, whole, tmp_path)


@pytest.mark.parametrize("lost", [False, True])
@pytest.mark.parametrize(("figures", "best_step"), [([5.0, 1.0, 9.0, 8.0], 10), ([1.0, 5.0, 9.0, 8.0], 5)])
def test_the_best_weights_survive_a_kill(tmp_path: Path, figures: list[float], best_step: int, lost: bool) -> None:
    """`best` may be newer than the newest checkpoint, or, killed while it was replaced, not be there at all."""
    how = options(checkpoint_every_steps=8)
    whole = fit(ToyTask(figures), how, tmp_path / "whole", Recorder())
    with pytest.raises(Killed):
        fit(ToyTask(figures), how, tmp_path / "killed", Recorder(die_at=12))
    if lost:
        shutil.rmtree(tmp_path / "killed" / "best")
    resumed = fit(
        ToyTask(figures[1:]), how, tmp_path / "killed", Recorder()
    )  # from step 8: one validation is behind it
    assert_same_run(resumed, whole, tmp_path)
    assert (whole.progress.best, whole.progress.best_step) == (1.0, best_step)


def test_the_best_weights_are_those_of_the_best_validation(tmp_path: Path) -> None:
    best = fit(ToyTask([5.0, 1.0, 9.0, 8.0]), options(), tmp_path / "whole", Recorder())
    with pytest.raises(KeyboardInterrupt):
        fit(ToyTask([5.0, 1.0]), options(), tmp_path / "ten", Recorder(signal_at=10))
    at_ten = read_checkpoint(checkpoints(tmp_path / "ten")[-1])[0]["average"]
    assert best.progress.best_step == 10
    for name, value in best.weights.items():
        assert value.equal(at_ten[name])


def test_the_average_is_that_of_its_formula(tmp_path: Path) -> None:
    """average ← d · average + (1 - d) · weights with d = min(decay, (1 + step) / (10 + step)), from the start."""
    seen: list[dict[str, Tensor]] = []
    task = ToyTask()
    start = {name: value.clone() for name, value in task.model.state_dict().items()}

    class Watch(Recorder):
        def advance(self, step: int, loss: float) -> None:
            seen.append({name: value.clone() for name, value in task.model.state_dict().items()})

    trained = fit(task, options(max_steps=6, valid_every_steps=6, ema_decay=0.3), tmp_path, Watch())
    average = start["0.weight"].double()
    for step, weights in enumerate(seen, 1):
        decay = min(0.3, (1 + step) / (10 + step))
        average = decay * average + (1 - decay) * weights["0.weight"].double()
    torch.testing.assert_close(trained.weights["0.weight"].double(), average, atol=1e-6, rtol=0)
    assert int(trained.weights["1.num_batches_tracked"]) == 6  # counters are copied, not averaged


def test_without_tricks_a_step_is_torchs(tmp_path: Path) -> None:
    """AdamW by hand: the same order, dropout, schedule and clipping give the same weights."""
    how = options(max_steps=6, ema_decay=0.0, valid_every_steps=6, clip_norm=0.5, accumulate=2)
    trained = fit(ToyTask(), how, tmp_path, Recorder())
    task = ToyTask()
    optimizer = torch.optim.AdamW(task.model.parameters(), lr=0.02, betas=(0.9, 0.98), eps=1e-9, weight_decay=0.01)
    task.model.train()
    for step in range(1, 7):
        epoch, place = divmod(step - 1, 2)
        batches = task.epoch(derive_seed(1234, purpose="order"), epoch)[2 * place : 2 * place + 2]
        torch.manual_seed(derive_seed(1234, epoch=epoch, step=step, purpose="dropout"))
        factor = step / 4 if step <= 4 else {5: 0.02 + 0.98 * 0.5, 6: 0.02}[step]
        for group in optimizer.param_groups:
            group["lr"] = 0.02 * factor
        for ids in batches:
            (sum(task.losses(task.model, task.load(ids)).values()) / 2).backward()  # type: ignore[union-attr]
        nn.utils.clip_grad_norm_(task.model.parameters(), 0.5)
        optimizer.step()
        optimizer.zero_grad()
    for name, value in task.model.state_dict().items():
        torch.testing.assert_close(trained.weights[name], value, atol=1e-6, rtol=1e-6)


def test_an_epoch_is_every_item_once_also_when_batches_are_accumulated(tmp_path: Path) -> None:
    for accumulate, steps_per_epoch in ((1, 4), (3, 2), (4, 1)):
        task = ToyTask()
        how = options(max_steps=3 * steps_per_epoch, schedule=NoamSchedule(warmup_steps=2), accumulate=accumulate)
        fit(task, how, tmp_path / str(accumulate), Recorder())
        epochs = [list(itertools.chain(*task.loaded[i : i + 4])) for i in range(0, 12, 4)]
        assert len(task.loaded) == 12 and all(sorted(epoch) == ITEMS for epoch in epochs)
        assert epochs[0] != epochs[1]


def test_history_lines_hold_means_since_the_line_before(tmp_path: Path) -> None:
    losses: list[float] = []

    class Losses(Recorder):
        def advance(self, step: int, loss: float) -> None:
            losses.append(loss)

    recorder = Losses()
    trained = fit(ToyTask(), options(), tmp_path / "run", recorder)
    rows = [json.loads(line) for line in history(trained, tmp_path / "history.jsonl")]
    assert rows == recorder.rows
    train, valid = ([row for row in rows if row["kind"] == kind] for kind in ("train", "valid"))
    assert [row["step"] for row in train] == [3, 6, 9, 12, 15, 18]
    assert [row["step"] for row in valid] == [5, 10, 15, 20]
    for row in train:
        assert row["loss"] == pytest.approx(sum(losses[row["step"] - 3 : row["step"]]) / 3)
        assert row["loss"] == pytest.approx(row["fit"] + row["size"]) and row["grad_norm"] > 0
    assert [row["epoch"] for row in train] == [0, 1, 2, 2, 3, 4]
    assert all("mel" in row for row in valid)


def test_a_loss_that_is_not_finite_stops_the_run_and_names_its_parts(tmp_path: Path) -> None:
    task = ToyTask()
    task.poison_step = 6
    with pytest.raises(StageError, match=r"not finite at step 6: fit [\d.]+, size nan"):
        fit(task, options(), tmp_path, Recorder())
    # The state before the poison is kept.
    assert checkpoints(tmp_path)[-1].name == "step-00000004"


def test_patience(tmp_path: Path) -> None:
    task = ToyTask([5.0, 4.0, 4.0, 4.5, 1.0])
    trained = fit(task, options(max_steps=100, patience=2), tmp_path, Recorder())
    assert trained.progress.step == 20 and task.valid == [1.0]
    assert (trained.progress.best, trained.progress.best_step, trained.progress.stale_validations) == (4.0, 10, 2)
    # A run that stopped early is finished: asking again trains no further.
    recorder = Recorder()
    again = fit(ToyTask([9.9]), options(max_steps=100, patience=2), tmp_path, recorder)
    assert again.progress.step == 20 and recorder.steps == [20]


def test_an_unknown_figure_is_a_config_error_with_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"best_by is 'wer', which validation does not measure. Known: loss, mel"):
        fit(ToyTask(), options(best_by="wer"), tmp_path, Recorder())


def test_old_checkpoints_go(tmp_path: Path) -> None:
    run(tmp_path, options(keep_checkpoints=2))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["best", "step-00000016", "step-00000020"]


def test_another_seed_is_another_run(tmp_path: Path) -> None:
    first, _ = run(tmp_path / "a", options())
    second, _ = run(tmp_path / "b", options(seed=1))
    assert not first.weights["0.weight"].equal(second.weights["0.weight"])


def test_it_learns(tmp_path: Path) -> None:
    trained, _ = run(tmp_path, options(max_steps=100, valid_every_steps=20, checkpoint_every_steps=50))
    figures = [row["loss"] for row in trained.progress.history if row["kind"] == "valid"]
    assert figures[-1] < 0.4 * figures[0]
