"""What FastSpeech 2 and 2s claim (Ren et al., ICLR 2021, arXiv 2006.04558)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from recipes.tts.claims.rows import speed
from recipes.tts.claims.rows.curves import as_l1, step_reaching
from recipes.tts.common.claims.claim import Claim, Evidence, Measured, Missing, listed, need, require, systems
from recipes.tts.common.claims.scores import quality_text, scores

PAPER = "FastSpeech 2"
FULL, NO_ENERGY, NO_PITCH, NEITHER = (
    "fastspeech2_paper",
    "fastspeech2_no_energy",
    "fastspeech2_no_pitch",
    "fastspeech2_neither",
)
RECORDINGS = "recordings"


def quality(evidence: Evidence) -> Measured:
    """Held-out sentences beside recordings: less cepstral distortion than FastSpeech."""
    second, first = (scores(evidence, name) for name in ("fastspeech2", "fastspeech"))
    shown = {name: quality_text(row) for name, row in (("FastSpeech 2", second), ("FastSpeech", first))}
    return Measured(listed(shown), second["mcd_dtw_db"] < first["mcd_dtw_db"])


def durations(evidence: Evidence) -> Measured:
    """Errors at boundaries: the aligner's are smaller than those of the teacher's attention."""
    require(evidence, "teacher")
    errors = need(evidence, "durations").get("errors")
    if errors is None:
        raise Missing("there is no reference with times for these recordings, or the teacher's run keeps no features")
    kind = "phone_ms" if errors["attention"]["phone_ms"] is not None else "word_ms"
    shown = {
        name: f"{errors[source][kind]:.1f} ms"
        for name, source in (
            ("attention", "attention"),
            ("aligner in the same frames", "aligner_in_frames"),
            ("aligner", "aligner"),
        )
    }
    what, count = "phones" if kind == "phone_ms" else "words", evidence["durations"]["utterances"]
    ours = f"{what}: {listed(shown)}, {count} utterances"
    if evidence["durations"].get("guide") == "alignment":
        # Not the paper's question any more: what taught the attention is what it is compared with.
        ours += "; this teacher's attention was taught by the aligner's alignment (guide.by: alignment)"
    return Measured(ours, errors["aligner_in_frames"][kind] < errors["attention"][kind])


def training_time(evidence: Evidence) -> Measured:
    """Teacher, targets and FastSpeech against FastSpeech 2, each to the end of its training."""
    first, second = _training_seconds(evidence)
    parts = need(evidence, "training", "parts")
    steps_s = need(evidence, "training").get("steps_s", {})
    shown = {name: f"{parts[name] / 60:.1f} min" for name in ("teacher", "targets", "fastspeech", "fastspeech2")}
    for name, seconds in steps_s.items():
        shown[name] += f", {need(evidence, 'training', 'systems', name)['steps']} steps of {seconds:.2f} s"
    return Measured(f"{first / second:.2f}x ({listed(shown)})", first > second)


def _training_seconds(evidence: Evidence) -> tuple[float, float]:
    require(evidence, "teacher", "fastspeech", "fastspeech2")
    parts = need(evidence, "training", "parts")
    for name in ("teacher", "targets", "fastspeech", "fastspeech2"):
        if name not in parts:
            raise Missing(f"no record says how long the training part {name} took")
        if name != "targets" and parts[name] <= 0:
            raise Missing(f"the steps of {name} were too short to be timed: raise training.steps")
    return parts["teacher"] + parts["targets"] + parts["fastspeech"], parts["fastspeech2"]


def same_loss(evidence: Evidence) -> Measured:
    """The same, to the best validation loss that both reach: mel L1 beside recordings."""
    _training_seconds(evidence)
    curves = dict(
        zip(("fastspeech", "fastspeech2"), systems(evidence, "training", "fastspeech", "fastspeech2"), strict=True)
    )
    errors = dict(zip(curves, systems(evidence, "ablation", *curves), strict=True))
    lines = {
        "fastspeech": _line(curves["fastspeech"], errors["fastspeech"]["valid"].get("recording")),
        "fastspeech2": _line(curves["fastspeech2"], errors["fastspeech2"]["valid"]["own"]),
    }
    level = max(min(loss for _, loss in line) for line in lines.values())
    parts = need(evidence, "training", "parts")
    took = {
        name: parts[name] * (step_reaching(line, level) or 0) / curves[name]["steps"] for name, line in lines.items()
    }
    first, second = parts["teacher"] + parts["targets"] + took["fastspeech"], took["fastspeech2"]
    if not second:
        raise Missing("FastSpeech 2 is at that loss from its first validation on")
    ours = f"{first / second:.2f}x to a mel L1 of {level:.3f} ({first / 60:.1f} and {second / 60:.1f} min)"
    return Measured(ours, first > second)


def _line(curve: dict[str, Any], l1: float | None) -> list[list[float]]:
    if not curve["points"]:
        raise Missing("a training has no validation")
    if curve["unit"] == "l1":
        return as_l1(curve["points"], "l1", 0.0)
    if l1 is None or curve["key"] != "recording_mel":
        raise Missing("FastSpeech's losses are not beside recordings")
    return as_l1(curve["points"], curve["unit"], l1)


def spread_kept(evidence: Evidence) -> Measured:
    """Deviation of F0: with the wavelet transform nearer to the recordings' than without."""
    return _nearer(evidence, "deviation", "Hz", "{:.1f}")


def shape_kept(evidence: Evidence) -> Measured:
    """Skewness and excess kurtosis: nearer to the recordings', added up."""
    skewed, peaked = (_nearer(evidence, name, "", "{:.2f}") for name in ("skewness", "excess_kurtosis"))
    distances = [sum(_distances(evidence, kind)[name] for kind in ("skewness", "excess_kurtosis")) for name in _CWT]
    return Measured(f"skewness {skewed.ours}; excess kurtosis {peaked.ours}", distances[0] < distances[1])


_CWT = ("fastspeech2_paper", "fastspeech2_no_cwt")
_TITLES = {RECORDINGS: "recordings", "fastspeech": "FastSpeech", _CWT[0]: "with CWT", _CWT[1]: "without",
           "fastspeech2s": "2s"}  # fmt: skip


def _pitch(evidence: Evidence, kind: str) -> dict[str, float]:
    """A figure of recordings and of every system that has it."""
    require(evidence, *_CWT)
    systems(evidence, "pitch", *_CWT)
    rows = need(evidence, "pitch", "systems")
    for name in (RECORDINGS, *_CWT):
        if name != RECORDINGS and "deviation" not in rows[name]:
            raise Missing(f"{name}: {rows[name].get('silent', 'nothing is voiced')}")
    return {name: rows[name][kind] for name in _TITLES if rows.get(name, {}).get(kind) is not None}


def _distances(evidence: Evidence, kind: str) -> dict[str, float]:
    found = _pitch(evidence, kind)
    return {name: abs(found[name] - found[RECORDINGS]) for name in _CWT}


def _nearer(evidence: Evidence, kind: str, unit: str, form: str) -> Measured:
    found, distances = _pitch(evidence, kind), _distances(evidence, kind)
    shown = {_TITLES[name]: f"{form.format(value)} {unit}".strip() for name, value in found.items()}
    return Measured(listed(shown), distances[_CWT[0]] < distances[_CWT[1]])


def pitch_distance(evidence: Evidence) -> Measured:
    """DTW distance of F0 from the recordings'."""
    found = _pitch(evidence, "dtw_hz")
    if not set(_CWT) <= set(found):
        raise Missing("no contour could be compared")
    shown = {_TITLES[name]: f"{value:.2f} Hz" for name, value in found.items()}
    return Measured(listed(shown), found[_CWT[0]] < found[_CWT[1]])


def energy(evidence: Evidence) -> Measured:
    """Energy with true durations: FastSpeech 2 is nearer to the recordings than FastSpeech."""
    first, second = systems(evidence, "pitch", "fastspeech", "fastspeech2")
    for row in (first, second):
        if row.get("energy_mae") is None:
            raise Missing("nothing was spoken with true durations")
    rows = need(evidence, "pitch", "systems")
    names = {
        "copy synthesis": "copies",
        "fastspeech": "FastSpeech",
        "fastspeech2": "FastSpeech 2",
        "fastspeech2s": "2s",
    }
    found = {title: rows[name]["energy_mae"] for name, title in names.items() if rows.get(name, {}).get("energy_mae")}
    shown = listed({title: f"{value:.3f}" for title, value in found.items()})
    return Measured(shown, second["energy_mae"] < first["energy_mae"])


def ablation_true(evidence: Evidence) -> Measured:
    """Validation loss with true pitch and energy."""
    return _ordered(evidence, "own")


def ablation_predicted(evidence: Evidence) -> Measured:
    """Validation loss with predicted pitch and energy."""
    return _ordered(evidence, "predicted")


def _ordered(evidence: Evidence, kind: str) -> Measured:
    names = {FULL: "full", NO_ENERGY: "-energy", NO_PITCH: "-pitch", NEITHER: "-both"}
    rows = dict(zip(names, systems(evidence, "ablation", *names), strict=True))
    found = [rows[name]["valid"][kind] for name in names]
    shown = listed({title: f"{value:.4f}" for title, value in zip(names.values(), found, strict=True)})
    return Measured(shown, rising(found))


def rising(values: Sequence[float]) -> bool:
    """Whether each value is larger than the one before it."""
    return all(before < after for before, after in pairwise(values))


def levels(evidence: Evidence) -> Measured:
    """Pitch and energy per frame against per phoneme, predicted."""
    frame, phoneme = systems(evidence, "ablation", "fastspeech2_no_cwt", "fastspeech2_phoneme")
    found: Mapping[str, float] = {
        "per frame": frame["valid"]["predicted"],
        "per phoneme": phoneme["valid"]["predicted"],
    }
    shown = listed({name: f"{value:.4f}" for name, value in found.items()})
    return Measured(shown, found["per phoneme"] <= found["per frame"])


def gap(evidence: Evidence) -> Measured:
    """Validation minus training loss of the mel."""
    second, first = systems(evidence, "ablation", "fastspeech2", "fastspeech")
    gaps = [row["valid"]["own"] - row["train"]["own"] for row in (second, first)]
    return Measured(f"FastSpeech 2 {gaps[0]:.3f}, FastSpeech {gaps[1]:.3f}", gaps[0] < gaps[1])


FASTSPEECH2 = (
    Claim("quality2", PAPER, "Better than FastSpeech (here MCD by DTW, held-out sentences)",
          "MOS 3.83 ± 0.08, FastSpeech 3.68 ± 0.09", "systems", quality, scored="fastspeech2"),
    Claim("speed2", PAPER, "Faster to the samples than the teacher", "47.8x (GPU)", "speed",
          lambda evidence: speed.speed_up(evidence, "fastspeech2", "total")),
    Claim("speed2s", PAPER, "2s: faster to the samples than the teacher with a vocoder", "51.8x (GPU)", "speed",
          lambda evidence: speed.speed_up(evidence, "fastspeech2s", "total")),
    Claim("speed2_like_fastspeech", PAPER, "Variances cost little time (real-time factor)",
          "1.95e-2, FastSpeech 1.92e-2", "speed", speed.same_speed),
    Claim("speed2s_beats_2", PAPER, "2s is faster than FastSpeech 2 with a vocoder", "51.8x against 47.8x", "speed",
          speed.waveform_order),
    Claim("duration_error", PAPER, "Aligned durations are nearer to the truth than the teacher's attention",
          "12.47 against 19.68 ms", "durations", durations),
    Claim("training_time", PAPER, "Trains in less time than teacher, targets and FastSpeech",
          "3.12x (53.12 against 17.02 h)", "training", training_time),
    Claim("training_time_same_loss", PAPER, "The same, to the same validation loss", "3.12x", "training", same_loss),
    Claim("pitch_spread", PAPER, "Deviation of F0 nearer to the recordings' with the wavelet transform",
          "recordings 54.4, FastSpeech 50.8, with 54.1, without 42.3, 2s 53.9 Hz", "pitch", spread_kept),
    Claim("pitch_shape", PAPER, "Skewness and excess kurtosis of F0 likewise",
          "0.836 and 0.977; with 0.881 and 0.996, without 0.771 and 1.115", "pitch", shape_kept),
    Claim("pitch_distance", PAPER, "DTW distance of F0 from the recordings smaller with the wavelet transform",
          "with 24.39, without 25.13, FastSpeech 24.89, 2s 24.37", "pitch", pitch_distance),
    Claim("energy_error", PAPER, "Energy nearer to the recordings' (here in deviations of the corpus's frame energy)",
          "FastSpeech 0.142, FastSpeech 2 0.131, 2s 0.133", "pitch", energy),
    Claim("ablation_true", PAPER, "Pitch and energy each help, pitch more (mel L1 with true variances)",
          "CMOS -0.040 without energy, -0.245 without pitch, -0.370 without both", "ablation", ablation_true),
    Claim("ablation_predicted", PAPER, "The same with predicted variances (mel L1)",
          "CMOS -0.040, -0.245, -0.370", "ablation", ablation_predicted),
    Claim("levels", PAPER, "Pitch and energy per phoneme are steadier than per frame (mel L1, predicted variances)",
          "not in the paper; users report it", "ablation", levels),
    Claim("gap", PAPER, "Smaller gap between training and validation (mel L1)", "0.037 against 0.119", "ablation", gap),
)  # fmt: skip
