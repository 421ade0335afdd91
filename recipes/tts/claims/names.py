"""The systems that claims are about."""

from __future__ import annotations

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
#: Those that speak hard sentences and are timed.
COMPARED = ("teacher", "fastspeech", "fastspeech2", "fastspeech2s")
#: Those that are spoken with, slower and faster, and with breaks.
STUDENTS = COMPARED[1:]
