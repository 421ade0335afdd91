"""Who feeds the student's loss. Imports no torch."""

from __future__ import annotations

from typing import Any

from speechkd.distill.objective import TermSpec
from speechkd.distill.plan import DistillationPlan
from speechkd.distill.targets import TargetSpec
from speechkd.errors import UsageError

#: In decadic logarithms, as the denoiser sees mels; of the same stretch of frames and the same noise as the student's.
MEL = TargetSpec("mel", ("frame", "mel"), "float32")
TERM = TermSpec(
    "mel", "mean over real frames and bands of |clean - x̃|, x̃ = w x̂' + (1 - w) x̂", ("clean",), ("mel",), batch=("mask",)
)


def student_plan() -> DistillationPlan:
    """What flows from any teacher into the loss of a student with half its steps."""
    return DistillationPlan("teacher", "student", False, (MEL,), (TERM,))


def plan(cfg: Any) -> DistillationPlan:
    """The plan of a configuration; UsageError for one that trains on recordings alone."""
    teacher, steps = cfg.teacher, cfg.diffusion.steps
    if teacher is None:
        todo = "Give a configuration with teacher.model: run.sh prodiff has one"
        raise UsageError(
            "nothing is distilled here", why="it has no section teacher: recordings alone teach", todo=todo
        )
    chain = [steps * 2**halvings for halvings in range(teacher.rounds, -1, -1)]
    denoiser = cfg.model.denoiser
    student = f"ProDiff of {chain[-1]} steps, {denoiser.layers} layers of {denoiser.channels} channels in its denoiser"
    notes = (
        f"denoising steps: {' → '.join(map(str, chain))}; each student starts from its teacher's weights",
        "x̂ and x̂' are the teacher's answers at the noise level of the student's step and half a step below; w makes x̃ "
        "the one answer that lands where both together do",
        "durations, pitch and energy are the teacher's: all but the denoiser is frozen, and has no loss",
        f"sampler: {cfg.diffusion.sampler}",
    )
    who = f"ProDiff of {chain[0]} steps in {teacher.model}"
    return DistillationPlan(who, student, False, (MEL,), (TERM,), notes)
