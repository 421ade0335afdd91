"""Halving the steps of a ProDiff, once or several times: each student is the teacher of the next."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from recipes.tts.common.dataset import TtsDataset
from recipes.tts.common.manifest import Manifest
from recipes.tts.common.monitor import StageMonitor
from recipes.tts.common.origin import keep_teachers_origin
from recipes.tts.common.teachers import Wanted, check_teacher
from recipes.tts.common.training import keep, log_size
from recipes.tts.prodiff.noised import Noised
from recipes.tts.prodiff.plan import MEL, student_plan
from recipes.tts.prodiff.task import StudentTask
from speechkd.config import diff
from speechkd.distill.fingerprint import fingerprint
from speechkd.distill.rounds import RECORD, Round, Rounds
from speechkd.distill.targets import Targets
from speechkd.distill.teacher import LiveTeacher, frozen
from speechkd.errors import ConfigError
from speechkd.models.tts.load import CONFIG, WEIGHTS, load_model
from speechkd.models.tts.prodiff import ProDiff
from speechkd.runner import Context
from speechkd.training.loop import fit

WANTED = Wanted("prodiff", first="run.sh prodiff_teacher")
#: Beside a student's model: the rounds, each with its teacher's fingerprint.
ACCOUNT = "distilled.json"


def run(cfg: Any, ctx: Context) -> None:
    """Write `model`: model.json, model.safetensors (best validation loss), history.jsonl, distilled.json.

    The history counts the steps of all rounds. Where the first teacher was fine-tuned, its account is kept as
    teacher_transfer.json. Raises ConfigError for a teacher that does not fit, and what `check_teacher` raises.
    """
    folder: Path = cfg.teacher.model
    check_teacher(folder, WANTED, ctx.input("manifest"), ctx.input("spoken"), cfg.audio)
    first = load_model(folder)
    check_fit(first, folder, cfg)
    manifest = Manifest.read(ctx.input("manifest"))
    dataset = TtsDataset(ctx.input("features"), ctx.input("spoken"), cfg.model, manifest.speaker_numbers())
    splits = dataset.learned_and_chosen_by(manifest.splits)
    log_size(ctx, first.denoiser, len(splits[0]))
    trainer = _Trainer(cfg, ctx, dataset, splits)
    rounds = Rounds(cfg.teacher.rounds, first.config.calls, lambda steps: steps // 2, trainer)
    place = ctx.scratch / "rounds"
    rounds.run(folder, place)
    publish(sorted(place.glob("round-*")), ctx.output("model"))
    keep_teachers_origin(folder, ctx.output("model"))


def check_fit(teacher: ProDiff, folder: Path, cfg: Any) -> None:
    """ConfigError unless the teacher has the steps, the sizes and the schedule that the configuration says."""
    steps, rounds = cfg.diffusion.steps, cfg.teacher.rounds
    chain, where = teacher.config.diffusion, str(folder)
    if chain.predicts != "x0":
        todo = "Give one that was trained with diffusion.parameterisation generator"
        raise ConfigError("a teacher that predicts noise cannot be distilled here", where=where, todo=todo)
    if teacher.config.calls != steps * 2**rounds:
        raise ConfigError(
            f"the teacher speaks in {teacher.config.calls} steps, not in {steps * 2**rounds}", where=where,
            why=f"diffusion.steps is {steps}, and teacher.rounds halves {rounds} times",
            todo="Change one of the two, or give another teacher",
        )  # fmt: skip
    networks = diff(teacher.config.network, cfg.model)
    wrong = [(f"model.{path}", there, here) for path, there, here in networks if not path.endswith("dropout")]
    for name in ("beta_min", "beta_max"):
        if getattr(chain, name) != getattr(cfg.diffusion, name):
            wrong.append((f"diffusion.{name}", str(getattr(chain, name)), str(getattr(cfg.diffusion, name))))
    if wrong:
        why = "{} is {} there and {} here".format(*wrong[0])
        why += f", and {len(wrong) - 1} more differ" if len(wrong) > 1 else ""
        todo = "Base the configuration on the teacher's"
        raise ConfigError("a student has its teacher's sizes and schedule", where=where, why=why, todo=todo)


def student_of(teacher: ProDiff, sampler: Literal["matched", "released"] = "matched") -> ProDiff:
    """A model with the teacher's weights and half its steps, of which only the denoiser can learn.

    Everything before the denoiser stays as it is, in evaluation mode whoever calls `train()`: no dropout there.
    """
    stride = 2 * max(1, teacher.config.stride)
    config = teacher.config.model_dump() | {"stride": stride, "sampler": sampler}
    student = ProDiff(type(teacher.config).model_validate(config))
    student.load_state_dict(teacher.state_dict())
    for name, part in student.named_children():
        if name != "denoiser":
            frozen(part)
    return student.train()


def live_teacher(model: ProDiff, made_by: str) -> LiveTeacher:
    """A model that says at every step where two of its steps would land. made_by: its fingerprint."""
    return LiveTeacher(model, _targets, [MEL.by(made_by)])


def _targets(model: ProDiff, batch: Noised) -> Targets:
    return {"mel": model.two_steps(*batch.arguments())}


@dataclass(frozen=True)
class _Trainer:
    """Trains the student of a round."""

    cfg: Any
    ctx: Context
    dataset: TtsDataset
    splits: tuple[Sequence[str], Sequence[str]]

    def __call__(self, each: Round[int]) -> None:
        options, name = self.cfg.train, f"round-{each.number:02d}"
        teacher: ProDiff = load_model(each.teacher)
        student = student_of(teacher, self.cfg.diffusion.sampler)
        live = live_teacher(teacher, fingerprint(each.teacher))
        student_plan().check(live)
        self.ctx.log.info(
            "%d steps, taught by the %d of %s, fingerprint %s", each.setting, each.teacher_setting, each.teacher,
            live.fingerprint[:16],
        )  # fmt: skip
        task = StudentTask(student, self.dataset, self.splits, self.cfg, live)
        with StageMonitor(self.ctx, options.max_steps, name) as shown:
            trained = fit(task, options, each.work, shown)
        keep(trained, student, each.student)


def publish(rounds: Sequence[Path], out: Path) -> None:
    """Copy the last round's model, and write the account and the history of all, in which steps go on counting."""
    for name in (CONFIG, WEIGHTS):
        shutil.copyfile(rounds[-1] / name, out / name)
    account = [json.loads((each / RECORD).read_text(encoding="utf-8")) for each in rounds]
    (out / ACCOUNT).write_text(json.dumps(account, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    rows: list[dict[str, Any]] = []
    for each in rounds:
        done = rows[-1]["step"] if rows else 0
        lines = (each / "history.jsonl").read_text(encoding="utf-8").splitlines()
        rows += [row | {"step": row["step"] + done} for row in map(json.loads, lines)]
    (out / "history.jsonl").write_text(
        "".join(json.dumps(row, sort_keys=True) + "\n" for row in rows), encoding="utf-8"
    )
