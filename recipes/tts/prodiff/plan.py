"""Who feeds the student's loss. Imports no torch."""

from __future__ import annotations

from typing import Any

from speechkd.distill.objective import TermSpec
from speechkd.distill.plan import DistillationPlan
from speechkd.distill.targets import TargetSpec

#: In decadic logarithms, as the denoiser sees mels; of the same stretch of frames and the same noise as the student's.
MEL = TargetSpec("mel", ("frame", "mel"), "float32")
TERM = TermSpec(
    "mel", "mean over real frames and bands of |clean - x̃|, x̃ = w x̂' + (1 - w) x̂", ("clean",), ("mel",), batch=("mask",)
)


def student_plan() -> DistillationPlan:
    """What flows from any teacher into the loss of a student with half its steps."""
    return DistillationPlan("teacher", "student", False, (MEL,), (TERM,))


def plan(cfg: Any) -> DistillationPlan:
    """The plan of a configuration. Without a teacher it has no targets: the terms are those that recordings feed."""
    steps, denoiser = cfg.diffusion.steps, cfg.model.denoiser
    student = f"ProDiff of {steps} steps, {denoiser.layers} layers of {denoiser.channels} channels in its denoiser"
    if cfg.teacher is None:
        return DistillationPlan("nobody: recordings alone", student, False, (), recorded_terms(cfg))
    chain = [steps * 2**halvings for halvings in range(cfg.teacher.rounds, -1, -1)]
    notes = (
        f"denoising steps: {' → '.join(map(str, chain))}; each student starts from its teacher's weights",
        "x̂ and x̂' are the teacher's answers at the noise level of the student's step and half a step below; w makes x̃ "
        "the one answer that lands where both together do",
        "durations, pitch and energy are the teacher's: all but the denoiser is frozen, and has no loss",
        f"sampler: {cfg.diffusion.sampler}",
    )
    who = f"ProDiff of {chain[0]} steps in {cfg.teacher.model}"
    return DistillationPlan(who, student, False, (MEL,), (TERM,), notes)


def recorded_terms(cfg: Any) -> tuple[TermSpec, ...]:
    """The terms that recordings feed, as `ProDiffTask` computes them."""
    loss, adaptor = cfg.loss, cfg.model
    if cfg.diffusion.parameterisation == "gradient":
        mel = [TermSpec("noise", "mean over real frames and bands of |made - noise|", ("made",), batch=("noise",))]
    else:
        mel = [
            TermSpec("l1", "mean over real frames and bands of |clean - mel|", ("clean",), (), loss.l1, ("mel",)),
            TermSpec("ssim", "mean over them of 1 - SSIM(clean, mel)", ("clean",), (), loss.ssim, ("mel",)),
        ]
    absent = {"pitch": adaptor.pitch.target == "none", "energy": adaptor.energy.target == "none"}
    equations = {
        "duration": "mean over tokens of (log_durations - log(durations + 1))²",
        "pitch": "squared error, with cross-entropy of voicing where it is per frame",
        "energy": "squared error of normalised energy",
    }
    outputs = {"duration": "log_durations"}
    variances = [
        TermSpec(name, equation, (outputs.get(name, name),), (), loss.variance, ("variances",))
        for name, equation in equations.items()
        if not absent.get(name)
    ]
    return (*mel, *variances)
