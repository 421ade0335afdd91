"""ProDiff's student: what is frozen, what it is told, what its target is; traps D1, D2, D6, D7, D10, D13 and D15."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from recipes.tts.prodiff.distil import ACCOUNT, check_fit, publish, student_of
from recipes.tts.prodiff.noised import Noised
from speechkd.distill.rounds import RECORD
from speechkd.errors import ConfigError
from speechkd.models.tts.load import load_model, save_model
from speechkd.models.tts.prodiff import ProDiff
from speechkd.training.loop import fit
from tests.recipes.tts.prodiff_bench import IDS, Bench
from tests.training.test_loop import Killed, Recorder, assert_same_run, last_state


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    return Bench(tmp_path_factory.mktemp("prodiff_distil"))


def weights(model: torch.nn.Module) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in model.state_dict().items()}


def changed(model: torch.nn.Module, before: dict[str, Tensor]) -> set[str]:
    """The parts of a model whose weights are not what they were."""
    return {name.split(".")[0] for name, value in model.state_dict().items() if not value.equal(before[name])}


def asked(model: ProDiff) -> list[tuple[int, ...]]:
    """The indices that a denoiser is asked about from now on, a row of the batch each."""
    seen: list[tuple[int, ...]] = []
    model.denoiser.register_forward_pre_hook(lambda _, args: seen.append(tuple(args[1].tolist())))
    return seen


def lively_dropout(bench: Bench) -> Any:
    """A configuration with dropout wherever there is a place for it."""
    model = bench.cfg().model.model_dump(mode="json")
    for part in ("encoder", "predictor"):
        model[part]["dropout"] = 0.5
    return bench.cfg(model=model)


def test_a_student_starts_as_its_teacher_with_half_the_steps(bench: Bench) -> None:
    teacher = bench.model(bench.cfg(diffusion={"steps": 8}))
    chain = [teacher]
    for stride, steps in ((2, 4), (4, 2), (8, 1)):
        student = student_of(chain[-1])
        assert (student.config.stride, student.config.calls, len(student.steps)) == (stride, steps, steps)
        assert student.config.diffusion == teacher.config.diffusion and student.schedule == teacher.schedule
        assert not changed(student, weights(teacher))
        chain.append(student)
    assert student_of(teacher, "released").config.sampler == "released"


def test_all_but_the_denoiser_is_frozen_and_without_dropout(bench: Bench) -> None:
    """The student conditions its denoiser on exactly what the teacher, in evaluation mode, does."""
    teacher = bench.model(lively_dropout(bench))
    student = student_of(teacher).train()
    assert student.training and student.denoiser.training and not student.encoder.training
    learning = {name.split(".")[0] for name, p in student.named_parameters() if p.requires_grad}
    assert learning == {"denoiser"}
    task = bench.student(lively_dropout(bench), teacher)
    batch = task.load(IDS).batch
    both = [each.adapt(batch.tokens, batch.token_lengths, batch.variances).states for each in (student, teacher.eval())]
    assert both[0].equal(both[1]) and not both[0].requires_grad


def test_d1_d2_who_is_asked_about_what_in_a_step(bench: Bench) -> None:
    """k ~ U{1, 2}, t = 2k: the teacher is asked at t and t - 1, the student, once, with the index t - 2."""
    teacher = bench.model(bench.cfg())
    task = bench.student(teacher=teacher)
    theirs, own = asked(teacher), asked(task.model)  # type: ignore[arg-type]
    levels = set()
    for epoch in range(8):
        task.epoch(1, epoch)
        batch = task.load(IDS)
        theirs.clear(), own.clear()
        task.losses(task.model, batch, 1)
        t = batch.levels.tolist()
        levels |= set(t)
        assert own == [tuple(level - 2 for level in t)]
        assert theirs == [tuple(t), tuple(level - 1 for level in t)]
    assert levels == {2, 4}


def test_a_student_of_a_student_is_asked_along_the_same_chain(bench: Bench) -> None:
    """8 → 4 → 2: the second teacher is itself conditioned on two levels below, and steps down by two."""
    cfg = bench.cfg(diffusion={"steps": 8})
    second = student_of(bench.model(cfg))
    task = bench.student(cfg, second)
    theirs, own = asked(second), asked(task.model)  # type: ignore[arg-type]
    batch = task.load(IDS)
    task.losses(task.model, batch, 1)
    t = batch.levels.tolist()
    assert set(t) <= {4, 8} and task.levels == (4, 8)
    assert own == [tuple(level - 4 for level in t)]
    assert theirs == [tuple(level - 2 for level in t), tuple(level - 4 for level in t)]


def test_the_loss_is_the_distance_from_where_the_teacher_lands(bench: Bench) -> None:
    """|f - x̃| over real frames, x̃ from DDIM twice and its inversion, in double precision."""
    teacher = bench.model(bench.cfg())
    task = bench.student(bench.cfg(slices={"frames": 16}), teacher)
    answers: list[tuple[Tensor, Tensor]] = []
    teacher.denoiser.register_forward_hook(lambda _, args, out: answers.append((args[0].double(), out.double())))
    batch = task.load(IDS)
    with torch.no_grad():
        (loss,) = task.losses(task.model, batch, 1).values()
        made = task.model(*batch.arguments()).clean.double()
    (noisy, first), (_, second) = answers
    total, count, schedule = 0.0, 0, teacher.schedule
    for row, t in enumerate(batch.levels.tolist()):
        (a, b, c), (p, q, r) = ([each(t - k) for k in range(3)] for each in (schedule.alpha, schedule.sigma))
        halfway = b * first[row] + q / p * (noisy[row] - a * first[row])
        landed = c * second[row] + r / q * (halfway - b * second[row])
        target = (landed - r / p * noisy[row]) / (c - r / p * a)
        total += float((made[row] - target)[batch.mask[row]].abs().sum())
        count += int(batch.mask[row].sum()) * 12
    assert float(loss) == pytest.approx(total / count, rel=1e-5)


def test_d13_only_the_denoiser_learns_and_only_from_its_own_term(bench: Bench, tmp_path: Path) -> None:
    """No variance losses, no SSIM; weight decay and averaging leave what is frozen as it was, to the last bit."""
    cfg = lively_dropout(bench)
    task = bench.student(cfg)
    assert set(task.losses(task.model, task.load(IDS), 1)) == {"mel"}
    before = weights(task.model)
    trained = fit(task, cfg.train, tmp_path, Recorder())
    task.model.load_state_dict(trained.weights)
    assert changed(task.model, before) == {"denoiser"}


def test_the_teacher_stays_as_it_is(bench: Bench, tmp_path: Path) -> None:
    cfg = lively_dropout(bench)
    teacher = bench.model(cfg)
    task = bench.student(cfg, teacher)
    before = weights(teacher)
    modes: set[bool] = set()
    teacher.denoiser.register_forward_pre_hook(lambda *_: modes.update(m.training for m in teacher.modules()))
    fit(task, cfg.train, tmp_path, Recorder())
    assert modes == {False} and not changed(teacher, before)
    assert all(p.grad is None and not p.requires_grad for p in teacher.parameters())
    assert task.teacher.fingerprint == "made by me"


def test_d6_padding_does_not_change_the_loss(bench: Bench) -> None:
    """The loss of a padded batch is the mean of its utterances' own, weighted by frames."""
    task, data = bench.student(), bench.dataset(bench.cfg())
    batch = task.load(IDS)
    batch.mel[~batch.mask], batch.noise[~batch.mask] = 1e4, -1e4
    with torch.no_grad():
        together = float(task.losses(task.model, batch, 1)["mel"])
        sums = 0.0
        for row, id_ in enumerate(IDS):
            n, part = int(batch.mask[row].sum()), slice(row, row + 1)
            alone = Noised(
                data.batch([id_]), batch.starts[part], batch.mel[part, :n], batch.mask[part, :n], batch.levels[part],
                batch.noise[part, :n],
            )  # fmt: skip
            sums += n * float(task.losses(task.model, alone, 1)["mel"])
    assert together == pytest.approx(sums / int(batch.mask.sum()), rel=1e-4)


def test_d10_the_students_precision_does_not_reach_the_target(bench: Bench) -> None:
    task = bench.student()
    batch = task.load(IDS)
    exact = task.teacher.targets(batch)["mel"]
    with torch.autocast("cpu", torch.bfloat16):
        found = task.teacher.targets(batch)["mel"]
        loss = task.losses(task.model, batch, 1)["mel"]
    assert found.dtype == torch.float32 and found.equal(exact) and loss.isfinite()


@pytest.mark.parametrize("level", [2, 4])
def test_d7_gradients_are_finite_on_constant_input(bench: Bench, level: int) -> None:
    task = bench.student()
    batch = task.load(IDS)
    batch.mel, batch.noise = torch.full_like(batch.mel, -13.8), torch.zeros_like(batch.noise)
    batch.levels = torch.full_like(batch.levels, level)
    (loss,) = task.losses(task.model, batch, 1).values()
    loss.backward()
    assert loss.isfinite()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in task.model.denoiser.layers.parameters())  # type: ignore[union-attr]


def test_validation_also_tells_how_far_the_recordings_are(bench: Bench) -> None:
    task = bench.student()
    task.model.eval()
    figures = task.validate(task.model, torch.device("cpu"))
    assert set(figures) == {"mel", "loss", "recording"} and figures["mel"] == figures["loss"] != figures["recording"]
    assert {level for batch in task.held_out() for level in batch.levels.tolist()} <= {2, 4}


def test_a_student_comes_nearer_to_its_teacher(bench: Bench, tmp_path: Path) -> None:
    train = {"max_steps": 40, "optimizer": {"learning_rate": 5e-3}, "valid_every_steps": 10, "ema_decay": 0.0}
    cfg = bench.cfg(train=bench.cfg().train.model_dump(mode="json") | train)
    history = fit(bench.student(cfg), cfg.train, tmp_path, Recorder()).progress.history
    losses = [row["mel"] for row in history if row["kind"] == "valid"]
    assert losses[-1] < 0.8 * losses[0]


def test_a_killed_training_ends_like_one_that_was_not(bench: Bench, tmp_path: Path) -> None:
    cfg = bench.cfg(slices={"frames": 16})
    whole = fit(bench.student(cfg), cfg.train, tmp_path / "whole", Recorder())
    with pytest.raises(Killed):
        fit(bench.student(cfg), cfg.train, tmp_path / "killed", Recorder(die_at=5))
    again = fit(bench.student(cfg), cfg.train, tmp_path / "killed", Recorder())
    assert_same_run(again, whole, tmp_path)
    assert last_state(tmp_path / "killed") == last_state(tmp_path / "whole")


def test_d15_a_teacher_that_does_not_fit_is_refused_by_name(bench: Bench) -> None:
    def check(teacher_cfg: Any, steps: int = 2, rounds: int = 1, **own: Any) -> None:
        cfg = bench.cfg(teacher={"model": "x", "rounds": rounds}, **({"diffusion": {"steps": steps}} | own))
        check_fit(bench.model(teacher_cfg), Path("x"), cfg)

    check(bench.cfg())
    check(lively_dropout(bench))  # dropout may be another
    check(bench.cfg(diffusion={"steps": 16}), rounds=3)
    with pytest.raises(ConfigError, match=r"speaks in 4 steps, not in 8.*diffusion.steps is 2.*halves 2 times"):
        check(bench.cfg(), rounds=2)
    with pytest.raises(ConfigError, match=r"model\.denoiser\.layers is 2 there and 3 here"):
        check(bench.cfg(), model={"denoiser": {"layers": 3, "channels": 16}})
    with pytest.raises(ConfigError, match=r"diffusion\.beta_max is 40\.0 there and 20\.0 here"):
        check(bench.cfg(), diffusion={"steps": 2, "beta_max": 20.0})
    with pytest.raises(ConfigError, match="predicts noise cannot be distilled"):
        check(bench.cfg(diffusion={"parameterisation": "gradient"}))


def test_what_is_published_is_the_last_round_with_the_history_of_all(bench: Bench, tmp_path: Path) -> None:
    model, rounds = bench.model(bench.cfg()), []
    for number, steps in ((1, [2, 3]), (2, [1])):
        folder = tmp_path / f"round-{number:02d}"
        folder.mkdir()
        model = student_of(model)
        save_model(folder, model)
        (folder / RECORD).write_text(json.dumps({"round": number, "teacher": f"print {number}"}))
        (folder / "history.jsonl").write_text("".join(json.dumps({"step": s, "mel": 1.0}) + "\n" for s in steps))
        rounds.append(folder)
    (tmp_path / "out").mkdir()
    publish(rounds, tmp_path / "out")
    assert load_model(tmp_path / "out").config.calls == 1
    rows = [json.loads(line) for line in (tmp_path / "out/history.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows] == [2, 3, 4]
    account = json.loads((tmp_path / "out" / ACCOUNT).read_text())
    assert [each["teacher"] for each in account] == ["print 1", "print 2"]
