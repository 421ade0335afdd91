"""What distillation gives: quality, sharpness, simpler targets, and what becomes of diversity."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from recipes.tts.common.claims.claim import Claim, Evidence, Measured, Missing, listed, need, require, systems
from recipes.tts.common.claims.noise import all_hold, compared
from recipes.tts.common.claims.scores import quality_text, scores
from recipes.tts.prodiff_claims.names import FORMS, RECORDINGS, RELEASED, VARIED

PAPER = "ProDiff"
_TITLES = {"direct": "without distillation", "fastspeech2": "FastSpeech 2", "gradient": "gradient-based, whole chain",
           "generator": "generator-based, whole chain"}  # fmt: skip


def title(name: str) -> str:
    """A system in words."""
    return _TITLES.get(name, name)


def quality(evidence: Evidence) -> Measured:
    """Held-out sentences beside recordings: within a twentieth of the teacher's distortion."""
    return _within(evidence, "teacher", 1.05)


def quality_of_fastspeech2(evidence: Evidence) -> Measured:
    """The same within a tenth of FastSpeech 2's."""
    return _within(evidence, "fastspeech2", 1.10)


def _within(evidence: Evidence, name: str, factor: float) -> Measured:
    rows = {each: scores(evidence, each) for each in ("student", name)}
    shown = listed({title(each): quality_text(row) for each, row in rows.items()})
    return Measured(shown, rows["student"]["mcd_dtw_db"] <= factor * rows[name]["mcd_dtw_db"])


def sharpness(evidence: Evidence) -> Measured:
    """Recordings > teacher >= student > 2 steps without distillation."""
    names = (RECORDINGS, "teacher", "student", "direct")
    found = _values(evidence, "sharpness", *names)
    first, second, third = (compared(found[a], found[b]) for a, b in pairwise(names))
    order = listed({title(name): f"{np.mean(found[name]):.4f}" for name in names})
    return Measured(order, all_hold(first, second or 1, third))


def distortion(evidence: Evidence) -> Measured:
    """With true durations the student errs less than a model of 2 steps without distillation."""
    found = _values(evidence, "mcd_db", "student", "direct")
    errors = _values(evidence, "mel_l1", "student", "direct")
    shown = {title(n): f"{np.mean(found[n]):.2f} dB MCD, mel L1 {np.mean(errors[n]):.3f}" for n in found}
    return Measured(listed(shown), all_hold(compared(found["direct"], found["student"])))


def samplers(evidence: Evidence) -> Measured:
    """The sampler that goes to the level that the student learned errs no more than that of the paper's code."""
    if RELEASED not in need(evidence, "quality", "systems"):
        require(evidence, "student")
        raise Missing("the run of student has not what the stage quality reads")
    found = _values(evidence, "mcd_db", "student", RELEASED)
    shown = {
        name: f"{np.mean(found[key]):.2f} dB MCD" for name, key in (("matched", "student"), ("released", RELEASED))
    }
    return Measured(listed(shown), compared(found["student"], found[RELEASED]) <= 0)


def losses(evidence: Evidence) -> Measured:
    """The student's loss beside its targets is lower than that of the other one beside recordings."""
    rows = _lost(evidence, "student", "direct")
    own = {name: row["own"] for name, row in rows.items()}
    shown = {title(name): f"{np.mean(each):.4f}" for name, each in own.items()}
    beside = np.mean(rows["student"]["recording"])
    ours = f"{listed(shown)} (the student beside recordings, which it never saw: {beside:.4f})"
    return Measured(ours, all_hold(compared(own["direct"], own["student"])))


def _lost(evidence: Evidence, *names: str) -> dict[str, dict[str, list[float]]]:
    require(evidence, *names, "teacher")
    measured = need(evidence, "quality", "losses")
    for name in names:
        if "own" not in measured.get(name, {}):
            raise Missing(f"the run of {name} has not what the stage quality reads")
    return {name: measured[name] for name in names}


def _values(evidence: Evidence, kind: str, *names: str) -> dict[str, Sequence[float]]:
    """A figure of each utterance, by system; Missing if a system has none."""
    rows = systems(evidence, "quality", *(name for name in names if name not in (RECORDINGS, RELEASED)))
    measured = need(evidence, "quality", "systems")
    if not all(row.get(kind) for row in rows):
        raise Missing("no utterance was said by all systems")
    return {name: measured[name][kind] for name in names}


def target_variance(evidence: Evidence) -> Measured:
    """Where the text is the same, targets vary less than recordings do."""
    (row,) = systems(evidence, "targets", "teacher")
    mean, bins = row["mean"], row["by_bin"]
    around = {"FastSpeech 2": "around_fastspeech2", "the mean target": "around_targets"}
    known = {name: key for name, key in around.items() if key in mean}
    shown = ", ".join(f"{mean[key]:.4f} around {name}" for name, key in known.items())
    smaller = sum(
        value < min(bins[key][place] for key in known.values()) for place, value in enumerate(bins["targets"])
    )
    ours = f"targets {mean['targets']:.4f}; recordings {shown} (smaller in {smaller} of {len(bins['targets'])} bins)"
    return Measured(ours, mean["targets"] < min(mean[key] for key in known.values()))


def half_precision(evidence: Evidence) -> Measured:
    """The target in half precision: the mixture keeps its digits."""
    (row,) = systems(evidence, "targets", "teacher")
    half = row["half"]
    ours = f"mixture {half['mixture']:.1e}, subtraction {half['subtraction']:.1e} (root mean square, decadic log mel)"
    return Measured(ours, half["mixture"] < half["subtraction"])


def other_samples(evidence: Evidence) -> Measured:
    """Two samples of a sentence differ; those of the student no more than those of the teacher."""
    rows = dict(zip(("teacher", "student"), systems(evidence, "diversity", "teacher", "student"), strict=True))
    measured = need(evidence, "diversity", "systems")
    pairs = {name: row["pairwise_l1"] for name, row in rows.items()}
    everybody = [name for name in VARIED if name in measured]
    shown = listed({title(name): f"{np.mean(measured[name]['pairwise_l1']):.4f}" for name in everybody})
    differ = min(pairs["student"]) > 0.0
    return Measured(shown, differ and compared(pairs["student"], pairs["teacher"]) <= 0)


def spread(evidence: Evidence) -> Measured:
    """Frames are spread as the recordings' are, about as well as those of the better one of two long chains."""
    require(evidence, "student", *FORMS)
    measured, bins = need(evidence, "diversity", "spread"), need(evidence, "diversity", "bins")
    for name in ("student", *FORMS):
        if name not in measured:
            raise Missing(f"the run of {name} has no samples")
    shown = {title(name): _spread(row, bins) for name, row in measured.items()}
    many = min(measured[name]["divergence"] for name in FORMS)
    return Measured(listed(shown), measured["student"]["divergence"] <= 1.1 * many)


def _spread(row: dict[str, Any], bins: int) -> str:
    return f"{row['different_bins']} of {bins} bins differ, divergence {row['divergence']:.4f} bit"


DISTILLATION = (
    Claim("quality", PAPER, "2 steps are as good as the teacher's 4 (here MCD by DTW within 5 %, held-out sentences)",
          "MOS 4.08 on LJSpeech", "systems", quality, scored="student"),
    Claim("quality_fastspeech2", PAPER, "As good as FastSpeech 2 (MCD by DTW within 10 %)",
          "compared, figures not at hand", "systems", quality_of_fastspeech2, scored="student"),
    Claim("sharpness", PAPER, "Sharper than without distillation: recordings > teacher ≥ student > direct (Laplacian "
          "variance of log mels)", "ablation without distillation, figures not at hand", "quality", sharpness),
    Claim("distortion", PAPER, "Better than without distillation (true durations)", "the same ablation", "quality",
          distortion),
    Claim("samplers", PAPER, "The student's sampler that matches its training is as good as the released one (true "
          "durations)", "the released code goes on by a one-step posterior", "quality", samplers),
    Claim("own_loss", PAPER, "Targets are easier than recordings (validation loss beside what is learned from, L1 of "
          "decadic log mels)", "reasoned only", "quality", losses),
    Claim("target_variance", PAPER, "Given the text, targets vary less than recordings (variance of decadic log mels)",
          "reasoned only", "targets", target_variance),
    Claim("half_precision", PAPER, "The target as a mixture survives half precision, as a difference it does not",
          "not in the paper", "targets", half_precision),
    Claim("other_samples", PAPER, "Other noise is another sample, also for the student, and no more than for the "
          "teacher (mean pairwise mel L1)", "not in the paper", "diversity", other_samples),
    Claim("spread", PAPER, "Diversity competitive with many steps (NDB and Jensen-Shannon divergence of mel frames)",
          "competitive, figures not at hand", "diversity", spread),
)  # fmt: skip
