"""Figures out of the timings."""

from __future__ import annotations

from recipes.tts.claims.names import CACHED, PUBLISHED, UNCACHED, paper_length
from recipes.tts.common.claims.claim import Evidence, Measured, Missing, need, require

SYSTEM = {UNCACHED: CACHED, **PUBLISHED}


def seconds(evidence: Evidence, way: str, part: str, frames: int, kind: str = "mean_s", ways: str = "ways") -> float:
    """Seconds of a way of speaking at a length. part: mel or total; kind: mean_s or median_s; ways or one_thread."""
    require(evidence, SYSTEM.get(way, way))
    return float(need(evidence, "speed", ways, way, part, "by_frames", str(frames), kind))


def slope(evidence: Evidence, way: str, part: str = "mel") -> float:
    """Slope of log seconds over log frames."""
    require(evidence, SYSTEM.get(way, way))
    return float(need(evidence, "speed", "ways", way, part, "slope"))


def lengths(evidence: Evidence) -> list[int]:
    """The lengths that were timed."""
    return sorted(need(evidence, "speed", "lengths"))


def ratio(evidence: Evidence, slow: str, fast: str, part: str, frames: int, kind: str = "mean_s") -> float:
    """How many times faster one way is than another."""
    return seconds(evidence, slow, part, frames, kind) / seconds(evidence, fast, part, frames, kind)


def speed_up(evidence: Evidence, fast: str, part: str) -> Measured:
    """Against the teacher with its cache, which decides, and without, at the paper's length."""
    frames = paper_length(lengths(evidence))
    parts = []
    for name, slow in (("with its cache", CACHED), ("without", UNCACHED)):
        mean, median = (ratio(evidence, slow, fast, part, frames, kind) for kind in ("mean_s", "median_s"))
        parts.append(f"{mean:.1f}x by means, {median:.1f}x by medians against the teacher {name}")
    slow_s, fast_s = (seconds(evidence, way, part, frames, "median_s") for way in (CACHED, fast))
    alone = one_thread(evidence, CACHED, fast, part)
    ours = f"{'; '.join(parts)} ({slow_s:.3f} s and {fast_s:.4f} s at {frames} frames){alone}"
    return Measured(ours, ratio(evidence, CACHED, fast, part, frames) > 1)


def published_speed_up(evidence: Evidence) -> Measured:
    """Both with the published sizes, the teacher with its cache."""
    slow, fast = PUBLISHED
    frames = paper_length(lengths(evidence))
    slow_s, fast_s = (seconds(evidence, way, "mel", frames, "median_s") for way in (slow, fast))
    sizes = [need(evidence, "speed", "networks", way, "parameters") / 1e6 for way in (slow, fast)]
    ours = f"{slow_s / fast_s:.1f}x ({slow_s:.3f} s and {fast_s:.4f} s at {frames} frames; "
    ours += f"{sizes[0]:.1f} M and {sizes[1]:.1f} M parameters){one_thread(evidence, slow, fast, 'mel')}"
    return Measured(ours, slow_s > fast_s)


def one_thread(evidence: Evidence, slow: str, fast: str, part: str) -> str:
    """The same ratio with one thread, in words; empty where all was timed with one."""
    if not need(evidence, "speed", "one_thread"):
        return ""
    frames = paper_length(lengths(evidence))
    slow_s, fast_s = (seconds(evidence, way, part, frames, "median_s", "one_thread") for way in (slow, fast))
    return f"; {slow_s / fast_s:.1f}x on one thread"


def flat(evidence: Evidence) -> Measured:
    """The student's time grows less with the length than the teacher's, so that it gains by every frame."""
    if len(lengths(evidence)) < 2:
        raise Missing("only one length was timed")
    taught, teaching, plain = (slope(evidence, way) for way in ("fastspeech", CACHED, UNCACHED))
    short, long = lengths(evidence)[0], lengths(evidence)[-1]
    first, last = (ratio(evidence, CACHED, "fastspeech", "mel", each, "median_s") for each in (short, long))
    slopes = f"slopes {taught:.2f}, teacher {teaching:.2f} with cache and {plain:.2f} without"
    return Measured(
        f"{slopes}; {first:.1f}x at {short} frames, {last:.1f}x at {long}", taught < teaching and last > first
    )


def same_speed(evidence: Evidence) -> Measured:
    """FastSpeech 2 with its variances is about as fast as FastSpeech, vocoder included."""
    frames = paper_length(lengths(evidence))
    share = ratio(evidence, "fastspeech2", "fastspeech", "total", frames, "median_s")
    mel = ratio(evidence, "fastspeech2", "fastspeech", "mel", frames, "median_s")
    ours = f"{share:.2f} times FastSpeech's time to the samples, {mel:.2f} times to the mel, at {frames} frames"
    return Measured(ours, share < 1.25)


def waveform_order(evidence: Evidence) -> Measured:
    """FastSpeech 2s needs no vocoder and is faster to the samples."""
    frames = paper_length(lengths(evidence))
    gain = ratio(evidence, "fastspeech2", "fastspeech2s", "total", frames, "median_s")
    return Measured(f"{gain:.2f}x FastSpeech 2 with the vocoder of this table, at {frames} frames", gain > 1)
