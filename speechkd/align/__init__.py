"""When each word and phone is said: forced alignment, TextGrids, and frame durations for training.

`make_aligner(options).align(samples, sample_rate, tokens)` gives an `Alignment`; `token_durations` turns it into
one whole number of frames per token. An aligner may find another pronunciation than the first one listed: `respelled`
gives the tokens as they were said.
"""

from __future__ import annotations

from speechkd.align.durations import token_durations
from speechkd.align.factory import Aligner, make_aligner
from speechkd.align.options import AlignOptions, GivenOptions, PocketsphinxOptions
from speechkd.align.respell import respelled
from speechkd.align.textgrid import read_textgrid, write_textgrid
from speechkd.align.types import AlignInput, Alignment, Interval

__all__ = [
    "AlignInput",
    "AlignOptions",
    "Aligner",
    "Alignment",
    "GivenOptions",
    "Interval",
    "PocketsphinxOptions",
    "make_aligner",
    "read_textgrid",
    "respelled",
    "token_durations",
    "write_textgrid",
]
