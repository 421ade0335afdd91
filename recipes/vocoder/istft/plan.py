"""Who feeds which term of the vocoder's loss. Imports no torch."""

from __future__ import annotations

from typing import Any

from speechkd.distill.objective import TermSpec
from speechkd.distill.plan import DistillationPlan
from speechkd.distill.targets import TargetSpec

#: What the teacher says for a mel, in rows of one hop per frame. Half precision is 60 dB under the loudest sample of
#: any stretch, and half the room.
SAMPLES = TargetSpec("samples", ("frame", "feature"), "float16")
SPECS = (SAMPLES,)
PREFIX = "teacher_"

_TAUGHT = {
    "stft": "mean over resolutions of ‖|S| - |Ŝ|‖ / ‖|S|‖ + mean |ln |S| - ln |Ŝ||",
    "phase": "Σ √|S| (1 - cos(φ̂ - φ)) / Σ √|S|",
    "frequency": "the same of φ(frame + 1) - φ(frame)",
    "delay": "the same of φ(bin + 1) - φ(bin)",
    "complex": "Σ |Ŝ - S| / Σ |S|",
}
_RECORDED = {
    "mel": "mean |mel(x̂) - mel(x)|",
    "stft": _TAUGHT["stft"],
    "frequency": "Σ √|S| (1 - cos(Δφ̂ - Δφ)) / Σ √|S|, Δ from frame to frame",
    "delay": "the same, Δ from bin to bin",
}


def taught_terms(cfg: Any) -> tuple[TermSpec, ...]:
    """The terms that the teacher's samples feed."""
    weights = cfg.distill.weights()
    return tuple(
        TermSpec(f"{PREFIX}{name}", equation, ("samples",), ("samples",), weights[name])
        for name, equation in _TAUGHT.items()
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
        TermSpec(name, equation, ("samples",), (), getattr(cfg.losses, name), ("samples",))
        for name, equation in _RECORDED.items()
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
    if cfg.augment.share:
        notes.append(f"{cfg.augment.share:g} slices of changed mels per recorded slice: only the teacher answers them")
    return DistillationPlan(
        taught.teacher, taught.student, taught.stored, SPECS, (*recorded, *played, *taught.terms), tuple(notes)
    )
