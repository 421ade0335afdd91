"""Who feeds which term of the vocoder's loss. Imports no torch."""

from __future__ import annotations

from typing import Any

from speechkd.distill.objective import TermSpec
from speechkd.distill.plan import DistillationPlan
from speechkd.distill.targets import TargetSpec

#: What the teacher says for a mel, in rows of one hop per frame. Half precision is 60 dB under the loudest sample of
#: any stretch, and half the room.
SAMPLES = TargetSpec("samples", ("frame", "feature"), "float16")
#: The pitch of what it says, 0 where unvoiced: changed mels have a pitch of their own.
F0 = TargetSpec("f0_hz", ("frame",), "float32")
SPECS = (SAMPLES, F0)
PREFIX = "teacher_"

# The same terms are learned from recordings and from the teacher.
_EQUATIONS = {
    "mel": "mean |mel(x̂) - mel(x)|, x̂ at the pitch of x",
    "stft": "mean over resolutions of ‖|S| - |Ŝ|‖ / ‖|S|‖ + mean |ln |S| - ln |Ŝ||, x̂ at the pitch of x",
    "pitch": "-Σ_b g_b ln p_b over voiced frames, g a bell of 20 cents around the pitch of x",
}
# What each reads of who is copied; of the student, all read the filters.
_READS = {"mel": ("samples", "f0_hz"), "stft": ("samples", "f0_hz"), "pitch": ("f0_hz",)}


def taught_terms(cfg: Any) -> tuple[TermSpec, ...]:
    """The terms that the teacher's samples feed."""
    weights = cfg.distill.weights()
    return tuple(
        TermSpec(f"{PREFIX}{name}", equation, ("filters",), _READS[name], weights[name])
        for name, equation in _EQUATIONS.items()
    )


def taught_plan(cfg: Any) -> DistillationPlan:
    """What flows from the teacher into the loss."""
    teacher = f"the vocoder in {cfg.teacher.path}" if cfg.teacher.path else "nobody"
    model = cfg.model
    student = f"inverse-STFT vocoder, {model.channels} channels, {len(model.lookahead)} blocks"
    stored = cfg.teacher.source == "stored"
    return DistillationPlan(teacher, student, stored, SPECS, taught_terms(cfg))


def plan(cfg: Any) -> DistillationPlan:
    """The plan of a configuration, with the terms that the recordings feed."""
    taught = taught_plan(cfg)
    recorded = tuple(
        TermSpec(name, equation, ("filters",), (), getattr(cfg.losses, name), _READS[name])
        for name, equation in _EQUATIONS.items()
    )
    game = cfg.adversarial
    played = (
        TermSpec("adversarial", "Σ (D(x̂) - 1)²", ("samples",), (), game.weight),
        TermSpec(
            "matching", "Σ mean |D_i(x) - D_i(x̂)|", ("samples",), (), cfg.losses.matching if game.weight else 0.0,
            ("samples",),
        ),
    )  # fmt: skip
    notes = [f"the game begins at step {game.start_step}"] if game.weight else []
    if cfg.teacher.path is not None:
        notes.append(f"{cfg.augment.share:g} slices of changed mels per recorded slice: only the teacher answers them")
    return DistillationPlan(
        taught.teacher, taught.student, taught.stored, SPECS, (*recorded, *played, *taught.terms), tuple(notes)
    )
