"""The Montreal Forced Aligner (McAuliffe et al. 2017) as an external program, over a whole corpus at once.

`run_mfa` exports the corpus and its pronunciations, runs the program and gives the options with which its TextGrids
are then read utterance by utterance.
"""

from __future__ import annotations

from speechkd.align.mfa.run import run_mfa

__all__ = ["run_mfa"]
