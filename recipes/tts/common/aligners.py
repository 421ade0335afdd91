"""What an aligner needs before its first utterance: some see the whole corpus, run a program or train a model."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from speechkd.align.options import AlignOptions, MasOptions, MfaOptions
from speechkd.align.types import AlignInput


def sees_corpus_first(options: AlignOptions) -> bool:
    """Whether `prepared` has something to do for these options."""
    return isinstance(options, MfaOptions) or (isinstance(options, MasOptions) and options.model is None)


def prepared(
    options: AlignOptions, utterances: Sequence[AlignInput], folder: Path, jobs: int, log: logging.Logger
) -> AlignOptions:
    """The options with which `make_aligner` works utterance by utterance; `folder` keeps what is made for it.

    mfa: the program runs over all utterances, and its TextGrids are given from then on. mas without a model: one is
    trained on the utterances. The other backends need nothing. Raises what these two raise.
    """
    if not sees_corpus_first(options):
        return options
    folder.mkdir(parents=True, exist_ok=True)
    if isinstance(options, MfaOptions):
        from speechkd.align.mfa import run_mfa

        return run_mfa(options, utterances, folder, jobs, log)
    from recipes.tts.common.mas_training import train_aligner

    assert isinstance(options, MasOptions)
    return options.model_copy(update={"model": train_aligner(options, utterances, folder, jobs, log)})
