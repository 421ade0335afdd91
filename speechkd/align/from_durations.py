"""An alignment out of durations of tokens: the inverse of `speechkd.align.durations.token_durations`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from speechkd.align.matching import token_phones, words_from_phones
from speechkd.align.types import SILENCE, Alignment, Interval
from speechkd.errors import DataError

if TYPE_CHECKING:
    from speechkd.text import Tokens

#: What a phone without any duration gets, since an interval must have a length: so little that it rounds to no frame.
_SLIVER_S = 0.0005


def alignment_from_durations(
    durations_s: NDArray[np.float64], tokens: Tokens, duration_s: float, where: str | None = None
) -> Alignment:
    """The alignment in which token k of `tokens` lasts `durations_s[k]` seconds; (T,) float64, none negative.

    The opening and the pause tokens are silence. The last token ends with the recording, at `duration_s`. A phone of
    no length gets half a millisecond of its neighbours, and the alignment's note counts them: frames made of it by
    `token_durations` are the frames put in, zeros included. Raises `DataError` when there are too many such phones.
    """
    ends = np.minimum(np.cumsum(durations_s), duration_s)
    ends[-1] = duration_s
    spoken = np.asarray([word >= 0 for word in tokens.word_index])
    widened = _widened(ends, spoken, duration_s, where)
    starts = np.concatenate([[0.0], widened[:-1]])
    phones: list[Interval] = []
    for symbol, word, start_s, end_s in zip(
        tokens.symbols, tokens.word_index, starts.tolist(), widened.tolist(), strict=True
    ):
        if word >= 0:
            phones.append(Interval(start_s, end_s, symbol))
        elif end_s > start_s:
            phones.append(Interval(start_s, end_s, SILENCE))
    voiced = [phone for phone in phones if phone.label != SILENCE]
    empty = int(np.count_nonzero((np.diff(ends, prepend=0.0) <= 0) & spoken))
    note = f"{empty} of {len(token_phones(tokens))} phones got no frame" if empty else ""
    return Alignment(words_from_phones(voiced, tokens), tuple(phones), duration_s, note).check(where)


def _widened(
    ends: NDArray[np.float64], spoken: NDArray[np.bool_], duration_s: float, where: str | None
) -> NDArray[np.float64]:
    """Ends (T,) of the tokens such that every phone has a length: ends move, by as little as possible, to the front.

    Going back from the last token, a phone's start is at least a sliver before its end; what that pushes before 0 is
    pushed forward again from the first token.
    """
    ends = ends.copy()
    for place in range(len(ends) - 1, 0, -1):
        if spoken[place]:
            ends[place - 1] = min(ends[place - 1], ends[place] - _SLIVER_S)
        else:
            ends[place - 1] = min(ends[place - 1], ends[place])
    previous = 0.0
    for place in range(len(ends)):
        ends[place] = max(ends[place], previous + _SLIVER_S if spoken[place] else previous)
        previous = ends[place]
    if ends[-1] > duration_s + 1e-9:
        why = f"{int(spoken.sum())} phones in {duration_s:.3f} s"
        raise DataError("The recording is too short for its phones", where=where, why=why)
    ends[-1] = duration_s
    return ends
