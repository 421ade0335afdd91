"""Who feeds which term of the student's loss. Imports no torch."""

from __future__ import annotations

from typing import Any

from recipes.tts.fastspeech.config import LossSection
from speechkd.distill.objective import TermSpec
from speechkd.distill.plan import DistillationPlan
from speechkd.distill.targets import TargetSpec

MEL = TargetSpec("mel", ("frame", "mel"), "float32")
DURATIONS = TargetSpec("durations", ("token",), "int32")
SPECS = (MEL, DURATIONS)
_MEL_EQUATIONS = {
    "mse": "mean over frames and bands of (mel - target)²",
    "l1": "mean over frames and bands of |mel - target|",
}
_SOURCES = {
    "kd": "the mel is the teacher's own speech, the durations are those of the same pass",
    "gt": "the mel is the recording's, the durations are those of the teacher-forced pass over it",
}


def terms(loss: LossSection) -> tuple[TermSpec, ...]:
    """The terms of the loss (FastSpeech, section 3; log(d + 1) because a token may last no frame)."""
    return (
        TermSpec("mel", _MEL_EQUATIONS[loss.mel], ("mel",), ("mel", "durations"), loss.mel_weight),
        TermSpec(
            "duration",
            "mean over tokens of (log_durations - log(durations + 1))²",
            ("log_durations",),
            ("durations",),
            loss.duration_weight,
            ("mask",),
        ),
    )


def student_plan(loss: LossSection) -> DistillationPlan:
    """What flows from any teacher into the loss."""
    return DistillationPlan("teacher", "student", True, SPECS, terms(loss))


def plan(cfg: Any) -> DistillationPlan:
    """The plan of a configuration."""
    targets, teacher, net = cfg.targets, cfg.teacher, cfg.model
    who = f"Transformer TTS in {teacher.model}" if teacher.model else "Transformer TTS trained in this run"
    student = f"FastSpeech, {net.hidden} channels, {net.encoder.layers} + {net.decoder.layers} blocks"
    notes = (
        f"targets.source {targets.source}: {_SOURCES[targets.source]}",
        "durations expand the student's tokens to frames while it learns; its own predictions do when it speaks",
        f"durations are counted by {targets.path}; utterances with a focus rate under {targets.focus_threshold:g}, and "
        "those that did not end, are left out",
    )
    return DistillationPlan(who, student, True, SPECS, terms(cfg.loss), notes)
