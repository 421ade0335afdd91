"""The systems that claims are about."""

from __future__ import annotations

from collections.abc import Sequence

SYSTEMS = (
    "teacher",
    "fastspeech",
    "fastspeech_gt",
    "fastspeech_fc",
    "fastspeech2",
    "fastspeech2_paper",
    "fastspeech2_no_cwt",
    "fastspeech2_no_energy",
    "fastspeech2_no_pitch",
    "fastspeech2_neither",
    "fastspeech2_phoneme",
    "fastspeech2s",
)
#: Those that speak hard sentences. FastSpeech 2s has FastSpeech 2's durations, and claims nothing about them.
COMPARED = ("teacher", "fastspeech", "fastspeech2")
#: Those that are timed beside the teacher, and spoken with, slower and faster, and with breaks.
STUDENTS = ("fastspeech", "fastspeech2", "fastspeech2s")
#: Ways of speaking that are timed besides these: the teacher again, and networks of the sizes that were published.
CACHED, UNCACHED = "teacher", "teacher_uncached"
PUBLISHED = {"teacher_published": "teacher", "fastspeech_published": "fastspeech"}
#: The mean length of what FastSpeech's speed was published for.
PAPER_FRAMES = 560


def paper_length(frames: Sequence[int]) -> int:
    """The length nearest to `PAPER_FRAMES`."""
    return min(frames, key=lambda each: abs(each - PAPER_FRAMES))
