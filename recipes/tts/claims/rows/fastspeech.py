"""What FastSpeech claims (Ren et al., NeurIPS 2019, arXiv 1905.09263)."""

from __future__ import annotations

from typing import Any

from recipes.tts.claims.rows import speed
from recipes.tts.common.claims.claim import Claim, Evidence, Measured, Missing, least, listed, need, require, systems
from recipes.tts.common.claims.scores import quality_text, scores

PAPER = "FastSpeech"
STUDENTS = ("fastspeech", "fastspeech2", "fastspeech2s")


def quality(evidence: Evidence) -> Measured:
    """Held-out sentences beside recordings: cepstral distortion within a tenth of the teacher's."""
    taught, teaching = (scores(evidence, name) for name in ("fastspeech", "teacher"))
    shown = {name: quality_text(row) for name, row in (("FastSpeech", taught), ("teacher", teaching))}
    return Measured(listed(shown), taught["mcd_dtw_db"] <= 1.1 * teaching["mcd_dtw_db"])


def heard(evidence: Evidence) -> Measured:
    """Skips and repeats that the listener hears, beside what it hears in copies of recordings."""
    taught, teaching = systems(evidence, "robustness", "fastspeech", "teacher")
    measured = evidence["robustness"]["systems"]
    names = {"teacher": "teacher", "fastspeech": "FastSpeech", "fastspeech2": "FastSpeech 2"}
    shown = {title: _heard(measured[name]) for name, title in names.items() if name in measured}
    listener = evidence["robustness"].get("listener")
    note = f"; {_alarms(listener, taught['words'])}" if listener else ""
    holds = taught["skips"] + taught["repeats"] <= teaching["skips"] + teaching["repeats"]
    return Measured(listed(shown) + note, holds)


def _heard(row: dict[str, Any]) -> str:
    share = row["sentences_wrong"] / row["sentences"]
    lost = f", {row['not_understood']} of them not understood at all" if row["not_understood"] else ""
    return f"{row['repeats']} repeats, {row['skips']} skips, {row['sentences_wrong']} sentences ({share:.0%}){lost}"


def _alarms(listener: dict[str, Any], words: int) -> str:
    copy = listener["copy"]
    false = (copy["skips"] + copy["repeats"]) / copy["words"] * words
    found = [f"{listener[kind]['heard']} of {listener[kind]['planted']} words {kind}" for kind in ("cut", "doubled")]
    return (
        f"the listener raises {false:.1f} false alarms in as many words of copy synthesis, and hears {', '.join(found)}"
    )


def seen(evidence: Evidence) -> Measured:
    """Errors in the models themselves: words without frames, attention that goes back, no end."""
    taught, teaching = systems(evidence, "robustness", "fastspeech", "teacher")
    ours = (
        f"teacher: {teaching['words_empty']} words never attended, {teaching.get('backward_jumps', 0)} jumps back, "
        f"{teaching.get('not_stopped', 0)} without end, {teaching['structure_wrong']} of {teaching['sentences']} "
        f"sentences; FastSpeech: {taught['words_empty']} words without a frame ({taught['phones_empty']} of "
        f"{taught['phones']} phones), {taught['structure_wrong']} sentences"
    )
    return Measured(ours, taught["structure_wrong"] <= teaching["structure_wrong"])


def speed_control(evidence: Evidence) -> Measured:
    """Length by alpha, within 3 %."""
    found = least(evidence, "control", STUDENTS)
    worst = {name: max(abs(each["length_error"]) for each in row["alphas"].values()) for name, row in found.items()}
    shown = listed({name: f"{error:.1%}" for name, error in worst.items()})
    return Measured(f"largest error of the length: {shown}", max(worst.values()) <= 0.03)


def pitch_kept(evidence: Evidence) -> Measured:
    """Median F0 by alpha, within 5 % of that of alpha = 1."""
    found = least(evidence, "control", STUDENTS)
    moved = {name: [each["f0_change"] for each in row["alphas"].values()] for name, row in found.items()}
    if any(each is None for changes in moved.values() for each in changes):
        raise Missing("nothing voiced was found at some speed")
    worst = {name: max(map(abs, changes)) for name, changes in moved.items()}
    shown = listed({name: f"{change:.1%}" for name, change in worst.items()})
    return Measured(f"largest change of the median F0: {shown}", max(worst.values()) <= 0.05)


def breaks(evidence: Evidence) -> Measured:
    """Frames added at word boundaries, and silence in them."""
    found = least(evidence, "control", STUDENTS)
    frames = need(evidence, "control", "break_frames")
    shown = {
        name: f"{row['breaks_exact']} of {row['breaks']} exact, {row['breaks_silent']} silent "
        f"(median {row['break_level_db'] or 0:.0f} dB)"
        for name, row in found.items()
    }
    holds = all(row["breaks"] == row["breaks_exact"] == row["breaks_silent"] for row in found.values())
    return Measured(f"breaks of {frames} frames: {listed(shown)}", holds)


def varied(evidence: Evidence) -> Measured:
    """Distilled mels vary less where the text is the same."""
    require(evidence, "fastspeech")
    found = need(evidence, "targets", "varied")
    within = {name: found[name]["within_phone"] for name in ("distilled", "recordings")}
    overall = {name: f"{found[name]['over_all']:.3f}" for name in within}
    ours = f"{listed({name: f'{value:.3f}' for name, value in within.items()})} (over all frames: {listed(overall)})"
    return Measured(ours, within["distilled"] < within["recordings"])


def distilled_loss(evidence: Evidence) -> Measured:
    """What is learnt from distilled mels is learnt better: lower loss, smaller gap."""
    taught, plain = systems(evidence, "ablation", "fastspeech", "fastspeech_gt")
    shown = {name: _losses(row) for name, row in (("distilled", taught), ("recordings", plain))}
    holds = taught["train"]["own"] < plain["train"]["own"] and taught["valid"]["own"] < plain["valid"]["own"]
    return Measured(listed(shown), holds)


def _losses(row: dict[str, Any]) -> str:
    train, valid = (row[split]["own"] for split in ("train", "valid"))
    return f"training {train:.3f}, validation {valid:.3f}, gap {valid - train:.3f}"


def sharp(evidence: Evidence) -> Measured:
    """Outputs of a student of distilled mels are sharper than those of a student of recordings."""
    require(evidence, "fastspeech", "fastspeech_gt")
    found = need(evidence, "targets", "sharpness")
    for name in ("fastspeech", "fastspeech_gt"):
        if name not in found:
            raise Missing(f"the run of {name} has no samples")
    shown = {name: f"{value:.3f}" for name, value in found.items() if not name.startswith("fastspeech2")}
    return Measured(listed(shown), found["fastspeech"] > found["fastspeech_gt"])


def convolutions(evidence: Evidence) -> Measured:
    """Convolutions against fully connected layers of about as many parameters."""
    plain, connected = systems(evidence, "ablation", "fastspeech", "fastspeech_fc")
    shown = {name: f"{row['valid']['own']:.4f}" for name, row in (("convolutions", plain), ("connected", connected))}
    return Measured(f"validation: {listed(shown)}", plain["valid"]["own"] <= connected["valid"]["own"])


FASTSPEECH = (
    Claim("quality", PAPER, "As good as the teacher (here MCD by DTW, held-out sentences)",
          "MOS 3.84 ± 0.08, teacher 3.88 ± 0.09", "systems", quality, scored="fastspeech"),
    Claim("mel_speed", PAPER, "Faster to the mel than the teacher", "269.40x (GPU, about 560 frames)", "speed",
          lambda evidence: speed.speed_up(evidence, "fastspeech", "mel")),
    Claim("mel_speed_published", PAPER, "The same with networks of the published sizes, untrained",
          "269.40x (GPU, about 560 frames)", "speed", speed.published_speed_up),
    Claim("end_to_end_speed", PAPER, "Faster to the samples, vocoder included", "38.30x (GPU)", "speed",
          lambda evidence: speed.speed_up(evidence, "fastspeech", "total")),
    Claim("flat_latency", PAPER, "Latency nearly flat in the length, the teacher's grows with it (log-log slopes)",
          "a figure", "speed", speed.flat),
    Claim("robust_heard", PAPER, "Hard sentences: words said again or skipped, as heard",
          "teacher 7 repeats, 15 skips, 17 of 50 sentences; FastSpeech 0, 0, 0", "robustness", heard),
    Claim("robust_seen", PAPER, "Hard sentences: errors in attention and durations themselves", "none by construction",
          "robustness", seen),
    Claim("speed_control", PAPER, "Lengths follow alpha from 0.5 to 1.5", "a figure", "control", speed_control),
    Claim("pitch_kept", PAPER, "Pitch stays while speed changes", "a figure", "control", pitch_kept),
    Claim("breaks", PAPER, "Frames added between words are breaks", "a figure", "control", breaks),
    Claim("simpler_targets", PAPER, "Distilled mels vary less within a phone (deviation, nepers, mean of bins)",
          "reasoned only", "targets", varied),
    Claim("distilled_loss", PAPER, "Distilled mels are learnt better (mel L1 beside own targets)",
          "CMOS -0.325 without distillation", "ablation", distilled_loss),
    Claim("distilled_sharpness", PAPER, "Students of distilled mels speak sharper (Laplacian variance of mels)",
          "CMOS -0.325 without distillation", "targets", sharp),
    Claim("convolutions", PAPER, "Convolutions beat fully connected layers (mel L1)", "CMOS -0.113 without",
          "ablation", convolutions),
)  # fmt: skip
