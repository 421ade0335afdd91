"""The aligner that the options ask for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from speechkd.align.options import AlignOptions, AttentionOptions, GivenOptions, MasOptions, PocketsphinxOptions
from speechkd.align.types import Alignment
from speechkd.errors import UsageError

if TYPE_CHECKING:
    from speechkd.text import Tokens


class Aligner(Protocol):
    """Finds when the phones of a known text are said."""

    def align(
        self, samples: NDArray[np.float32], sample_rate: int, tokens: Tokens, *, utterance_id: str = ""
    ) -> Alignment:
        """Words and phones of `samples` (T,) in time; raises `DataError` when this utterance cannot be aligned.

        The phones of each word, with their stress, are those of `tokens` or one of the word's variants:
        `speechkd.align.respell.respelled` tells which. Backends that read files find theirs by `utterance_id`;
        elsewhere it only names the utterance in errors.
        """
        ...


def make_aligner(options: AlignOptions) -> Aligner:
    """The aligner for `options`; cheap to call again, since models are kept per process.

    UsageError for a backend that must see the whole corpus first (mfa, and mas without a model).
    """
    if isinstance(options, PocketsphinxOptions):
        from speechkd.align.pocketsphinx import pocketsphinx_aligner

        return pocketsphinx_aligner(options)
    if isinstance(options, GivenOptions):
        from speechkd.align.given import GivenAligner

        return GivenAligner(options)
    if isinstance(options, AttentionOptions):
        from speechkd.align.attention import AttentionAligner

        return AttentionAligner(options)
    if isinstance(options, MasOptions) and options.model is not None:
        from speechkd.align.mas import MasAligner

        return MasAligner(options)
    todo = "Use `speechkd align` or a recipe, which prepare it."
    raise UsageError(f"Backend {options.backend} must see the whole corpus before an utterance", todo=todo)
