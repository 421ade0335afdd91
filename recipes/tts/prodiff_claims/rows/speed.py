"""Figures out of the timings."""

from __future__ import annotations

from recipes.tts.common.claims.claim import Claim, Evidence, Measured, need, require
from recipes.tts.prodiff_claims.names import LAST_PART

PAPER = "ProDiff"
# How near to two calls in the time of four a denoiser must be.
_HALF, _TOLERANCE = 2.0, 0.2


def lengths(evidence: Evidence) -> list[int]:
    """The lengths that were timed."""
    return sorted(need(evidence, "speed", "lengths"))


def seconds(evidence: Evidence, way: str, frames: int, part: str = "mel") -> float:
    """Median seconds of a way of speaking at a length. part: mel or total."""
    return float(need(evidence, "speed", "ways", way, part, "by_frames", str(frames), "median_s"))


def ratios(evidence: Evidence, slow: str, fast: str, part: str = "mel") -> list[float]:
    """How many times faster one way is than another, by length."""
    return [seconds(evidence, slow, n, part) / seconds(evidence, fast, n, part) for n in lengths(evidence)]


def factor(evidence: Evidence, way: str, frames: int, part: str) -> float:
    """Real-time factor: seconds of computing for a second of speech."""
    return seconds(evidence, way, frames, part) / (frames * float(need(evidence, "speed", "hop_s")))


def denoisers(evidence: Evidence) -> Measured:
    """Four calls of the denoiser against two."""
    require(evidence, "teacher", "student")
    found = ratios(evidence, LAST_PART["teacher"], LAST_PART["student"])
    everything = ratios(evidence, "teacher", "student")
    ours = f"{_at(found, evidence)}; to the mel, encoder included: {_at(everything, evidence)}"
    middle = found[len(found) // 2]
    return Measured(ours, abs(middle - _HALF) <= _TOLERANCE)


def order(evidence: Evidence) -> Measured:
    """FastSpeech 2's decoder < the student's denoiser < the teacher's."""
    require(evidence, "teacher", "student", "fastspeech2")
    n = lengths(evidence)[len(lengths(evidence)) // 2]
    parts = {name: seconds(evidence, part, n) for name, part in LAST_PART.items()}
    whole = seconds(evidence, "student", n) / seconds(evidence, "fastspeech2", n)
    shown = ", ".join(f"{name} {1000 * value:.1f} ms" for name, value in parts.items())
    ours = f"{shown} at {n} frames; to the mel the student takes {whole:.2f} times FastSpeech 2's time"
    return Measured(ours, parts["fastspeech2"] < parts["student"] < parts["teacher"])


def real_time(evidence: Evidence) -> Measured:
    """Real-time factors of the student, to the mel and to the samples."""
    require(evidence, "student")
    n = lengths(evidence)[len(lengths(evidence)) // 2]
    mel, total = (factor(evidence, "student", n, part) for part in ("mel", "total"))
    where = need(evidence, "speed", "device")
    others = ", ".join(
        f"{name} {factor(evidence, name, n, 'mel'):.4f} and {factor(evidence, name, n, 'total'):.4f}"
        for name in ("teacher", "fastspeech2")
        if name in need(evidence, "speed", "ways")
    )
    ours = f"{mel:.4f} to the mel ({1 / mel:.0f}x real time), {total:.4f} to the samples ({1 / total:.1f}x) on {where}"
    return Measured(ours + (f"; {others}" if others else ""), mel <= 0.042)


def _at(values: list[float], evidence: Evidence) -> str:
    return ", ".join(f"{value:.2f}x at {n} frames" for n, value in zip(lengths(evidence), values, strict=True))


SPEED = (
    Claim("halved", PAPER, "Half the steps take half the time (denoiser alone, 2.0 ± 0.2)", "4 iterations to 2",
          "speed", denoisers),
    Claim("order", PAPER, "FastSpeech 2's decoder is faster than the student's denoiser, and that than the teacher's",
          "real-time factors 0.0017 and 0.0097 (4 calls) on an A100, as CoMoSpeech's authors measured", "speed", order),
    Claim("real_time", PAPER, "24 times faster than real time (whether with a vocoder is not said: the real-time "
          "factor to the mel decides, that to the samples is beside it)", "24x, 0.04, on an RTX 2080 Ti", "speed",
          real_time),
)  # fmt: skip
