"""The aligner that the options ask for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from speechkd.align.options import GivenOptions, PocketsphinxOptions
from speechkd.align.types import Alignment

if TYPE_CHECKING:
    from speechkd.text import Tokens


class Aligner(Protocol):
    """Finds when the phones of a known text are said."""

    def align(
        self, samples: NDArray[np.float32], sample_rate: int, tokens: Tokens, *, utterance_id: str = ""
    ) -> Alignment:
        """Words and phones of `samples` (T,) in time; raises `DataError` when this utterance cannot be aligned.

        The phones are exactly those of `tokens`, with their stress. Backend `given` finds the TextGrid by
        `utterance_id`; elsewhere it only names the utterance in errors.
        """
        ...


def make_aligner(options: PocketsphinxOptions | GivenOptions) -> Aligner:
    """The aligner for `options`; cheap to call again, since decoders are kept per process."""
    if isinstance(options, GivenOptions):
        from speechkd.align.given import GivenAligner

        return GivenAligner(options)
    from speechkd.align.pocketsphinx import pocketsphinx_aligner

    return pocketsphinx_aligner(options)
