"""The second player of adversarial training, on a toy game: a run that was killed is the run that was not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from speechkd.errors import StageError
from speechkd.training.checkpoint import checkpoints, read_checkpoint
from speechkd.training.loop import Trained, fit
from speechkd.training.opponent import AdversarialTask
from speechkd.training.options import AdamWOptions, AdversarialTrainOptions, CosineSchedule, OpponentOptions
from speechkd.training.seeds import derive_seed
from tests.training.test_loop import Killed, Recorder, ToyTask, assert_same_run, last_state


class ToyGame(ToyTask):
    """The model imitates numbers around 3; the opponent, behind dropout, learns to tell them from what is made."""

    def __init__(self, start_step: int = 1) -> None:
        super().__init__()
        torch.manual_seed(8)
        self.opponent: nn.Module = nn.Sequential(nn.Linear(1, 4), nn.Tanh(), nn.Dropout(0.2), nn.Linear(4, 1))
        self.start_step = start_step
        self.made: Tensor | None = None
        self.frozen: list[bool] = []
        self.poison = False

    def losses(self, model: nn.Module, batch: Tensor, step: int = 0) -> Mapping[str, Tensor]:
        made = model(batch)
        terms = {"fit": (made - 3).square().mean()}
        if step >= self.start_step:
            self.frozen.append(not any(p.requires_grad for p in self.opponent.parameters()))
            terms["fooled"] = 0.5 * (self.opponent(made) - 1).square().mean()
        self.made = made.detach()
        return terms

    def opponent_losses(self, opponent: nn.Module, batch: Tensor, step: int) -> Mapping[str, Tensor]:
        if step < self.start_step:
            return {}
        assert self.made is not None and opponent.training
        real = 3 + batch[:, :1]
        loss = (opponent(real) - 1).square().mean() + opponent(self.made).square().mean()
        return {"told": loss * float("nan") if self.poison else loss}

    def validate(self, model: nn.Module, device: torch.device) -> Mapping[str, float]:
        with torch.inference_mode():
            return {"loss": float((model(self.load(["item01", "item05"])) - 3).square().mean())}


def options(**changes: Any) -> AdversarialTrainOptions:
    values: dict[str, Any] = {
        "max_steps": 20, "optimizer": AdamWOptions(learning_rate=0.02), "schedule": CosineSchedule(warmup_steps=4),
        "opponent": OpponentOptions(optimizer=AdamWOptions(learning_rate=0.03, weight_decay=0.01), clip_norm=0.7),
        "ema_decay": 0.9, "device": "cpu", "precision": "fp32", "threads": 1, "log_every_steps": 5,
        "valid_every_steps": 5, "checkpoint_every_steps": 4,
    }  # fmt: skip
    return AdversarialTrainOptions(**(values | changes))


def start(task: ToyGame, folder: Path, how: AdversarialTrainOptions, **monitor: Any) -> Trained:
    return fit(task, how, folder, Recorder(**monitor))


def state(module: nn.Module) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in module.state_dict().items()}


@pytest.mark.parametrize("accumulate", [1, 3])
@pytest.mark.parametrize(("start_step", "kills"), [(1, (2, 10)), (7, (6, 9)), (7, (1, 8, 19)), (100, (10,))])
def test_a_killed_game_ends_like_one_that_was_not(
    tmp_path: Path, accumulate: int, start_step: int, kills: Sequence[int]
) -> None:
    """Killed before the game begins, in it, or where it never begins: weights of both players to the last bit."""
    how, whole, resumed = options(accumulate=accumulate), ToyGame(start_step), ToyGame(start_step)
    expected = start(whole, tmp_path / "whole", how)
    for step in kills:
        with pytest.raises(Killed):
            start(ToyGame(start_step), tmp_path / "killed", how, die_at=step)
    assert_same_run(start(resumed, tmp_path / "killed", how), expected, tmp_path)
    assert last_state(tmp_path / "killed") == last_state(tmp_path / "whole")
    for name, value in state(whole.opponent).items():
        assert resumed.opponent.state_dict()[name].equal(value), name
    found, _ = read_checkpoint(checkpoints(tmp_path / "killed")[-1])
    assert {"opponent", "opponent_optimizer"} <= found.keys()
    assert bool(found["opponent_optimizer"]) == (start_step <= 20)


def test_m10_the_opponent_is_untouched_before_its_first_step(tmp_path: Path) -> None:
    task = ToyGame(start_step=13)
    before = state(task.opponent)
    start(task, tmp_path / "a", options(max_steps=12))
    assert all(task.opponent.state_dict()[name].equal(value) for name, value in before.items())
    task = ToyGame(start_step=13)
    start(task, tmp_path / "b", options(max_steps=13))
    assert not any(task.opponent.state_dict()[name].equal(value) for name, value in before.items())


def test_what_fools_the_opponent_teaches_it_nothing(tmp_path: Path) -> None:
    """While the model's losses are taken the opponent's parameters want no gradient; afterwards they do again."""
    task = ToyGame()
    start(task, tmp_path, options(max_steps=5))
    assert task.frozen == [True] * 5 and all(p.requires_grad for p in task.opponent.parameters())


def test_a_step_of_the_game_by_hand(tmp_path: Path) -> None:
    """First the model's step against the opponent as it stands, then the opponent's on what was made before it."""
    found = ToyGame()
    trained = start(found, tmp_path, options(max_steps=6, ema_decay=0.0))
    task = ToyGame()
    first = torch.optim.AdamW(task.model.parameters(), lr=0.02, betas=(0.9, 0.98), eps=1e-9, weight_decay=0.0)
    second = torch.optim.AdamW(task.opponent.parameters(), lr=0.03, betas=(0.9, 0.98), eps=1e-9, weight_decay=0.01)
    task.model.train()
    for step in range(1, 7):
        epoch, place = divmod(step - 1, 4)
        batch = task.load(task.epoch(derive_seed(1234, purpose="order"), epoch)[place])
        torch.manual_seed(derive_seed(1234, epoch=epoch, step=step, purpose="dropout"))
        factor = step / 4 if step <= 4 else {5: 0.02 + 0.98 * 0.5, 6: 0.02}[step]
        sum(task.losses(task.model, batch, step).values()).backward()  # type: ignore[union-attr]
        task.opponent.zero_grad()
        sum(task.opponent_losses(task.opponent, batch, step).values()).backward()  # type: ignore[union-attr]
        for player, optimizer, peak, norm in ((task.model, first, 0.02, 1.0), (task.opponent, second, 0.03, 0.7)):
            optimizer.param_groups[0]["lr"] = peak * factor
            nn.utils.clip_grad_norm_(player.parameters(), norm)
            optimizer.step()
            optimizer.zero_grad()
    for name, value in task.model.state_dict().items():
        torch.testing.assert_close(trained.weights[name], value, atol=1e-6, rtol=1e-6)
    for name, value in task.opponent.state_dict().items():
        torch.testing.assert_close(found.opponent.state_dict()[name], value, atol=1e-6, rtol=1e-6)


def test_history_tells_of_both_players_and_the_loss_is_the_models(tmp_path: Path) -> None:
    trained = start(ToyGame(start_step=6), tmp_path, options())
    rows = [row for row in trained.progress.history if row["kind"] == "train"]
    assert "told" not in rows[0] and "opponent_grad_norm" not in rows[0]
    for row in rows[1:]:
        assert row["loss"] == pytest.approx(row["fit"] + row["fooled"])
        assert row["told"] > 0 and row["opponent_grad_norm"] > 0


def test_only_the_model_is_averaged(tmp_path: Path) -> None:
    task = ToyGame()
    trained = start(task, tmp_path, options())
    tensors, _ = read_checkpoint(checkpoints(tmp_path)[-1])
    assert tensors["average"].keys() == tensors["model"].keys() == trained.weights.keys()
    assert all(tensors["opponent"][name].equal(value) for name, value in task.opponent.state_dict().items())


def test_a_loss_of_the_opponent_that_is_not_finite_is_named(tmp_path: Path) -> None:
    task = ToyGame(start_step=3)
    task.poison = True
    with pytest.raises(StageError, match="not finite at step 3: told nan"):
        start(task, tmp_path, options())


def test_a_task_without_an_opponent_is_no_game() -> None:
    assert isinstance(ToyGame(), AdversarialTask) and not isinstance(ToyTask(), AdversarialTask)


def test_the_last_weights_are_kept_when_no_figure_may_choose(tmp_path: Path) -> None:
    trained = start(ToyGame(), tmp_path, options(best_by="last", max_steps=18))
    newest, _ = read_checkpoint(checkpoints(tmp_path)[-1])
    assert trained.progress.best_step == 18
    assert all(trained.weights[name].equal(value) for name, value in newest["average"].items())
