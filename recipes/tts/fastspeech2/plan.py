"""Who feeds which term of a student's loss. Imports no torch."""

from __future__ import annotations

from typing import Any

from speechkd.distill.objective import TermSpec
from speechkd.distill.plan import DistillationPlan
from speechkd.distill.targets import Axis, TargetSpec

_MEL_EQUATIONS = {
    "l1": "mean over frames and bands of |mel - target|",
    "mse": "mean over frames and bands of (mel - target)²",
    "both": "mean over frames and bands of |mel - target|, and of its square",
    "frame": "mean over frames of the root mean square over bands of mel - target",
}


def target_specs(network: Any) -> tuple[TargetSpec, ...]:
    """What teachers say of a text: everything that features tell of a recording. network: the student's."""
    axes: dict[str, Axis] = {"phoneme": "token", "frame": "frame"}
    pitch, energy = axes[network.pitch.level], axes[network.energy.level]
    return (
        TargetSpec("mel", ("frame", "mel"), "float32"),
        TargetSpec("durations", ("token",), "int64"),
        TargetSpec("pitch_hz", (pitch,), "float32"),
        TargetSpec("voiced", (pitch,), "bool"),
        TargetSpec("energy", (energy,), "float32"),
    )


def terms(cfg: Any) -> tuple[TermSpec, ...]:
    """The terms of `fastspeech2_losses`; all weights are 1 (FastSpeech 2, section 2.4)."""
    network, given = cfg.model, cfg.teachers is not None
    absent = {"pitch": network.pitch.target == "none", "energy": network.energy.target == "none"}
    rows = {
        "mel": (_MEL_EQUATIONS[cfg.loss.mel], ("mel",)),
        "duration": ("mean over tokens of (log_durations - log(durations + 1))²", ("durations",)),
        "pitch": (
            "squared error of normalised log F0, with cross-entropy of voicing per frame",
            ("pitch_hz", "voiced"),
        ),
        "energy": ("squared error of normalised energy", ("energy",)),
    }
    outputs = {"duration": "log_durations"}
    return tuple(
        TermSpec(name, equation, (outputs.get(name, name),), read if given else (), batch=() if given else read)
        for name, (equation, read) in rows.items()
        if not absent.get(name)
    )


def plan(cfg: Any) -> DistillationPlan:
    """The plan of a configuration. Without teachers it has no targets: the terms are those that recordings feed."""
    net = cfg.model
    student = f"FastSpeech 2, {net.hidden} channels, {net.encoder.layers} + {net.decoder.layers} blocks"
    if cfg.teachers is None:
        return DistillationPlan("nobody: recordings alone", student, False, (), terms(cfg))
    folders = ", ".join(str(folder) for folder in cfg.teachers.models)
    prosody = f"; pitch and energy by the model in {cfg.teachers.prosody}" if cfg.teachers.prosody else ""
    notes = (
        f"{cfg.teachers.share:.0%} of the batches are texts that the teachers read; the others are recordings",
        "durations are the mean of the teachers' log(d + 1), rounded; with these each decodes with its own pitch and "
        "energy, and the mels are averaged; pitch and energy are means of those teachers that have them",
        *(["the student starts from the weights of the first of them"] if cfg.teachers.start == "first" else []),
    )
    return DistillationPlan(
        f"the mean of the models in {folders}{prosody}", student, False, target_specs(net), terms(cfg), notes
    )
