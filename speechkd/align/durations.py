"""Frames per token: an alignment in seconds becomes whole numbers that add up exactly."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from speechkd.align.matching import check_same_phones, token_phones
from speechkd.align.types import SILENCE, Alignment, Interval
from speechkd.errors import DataError

if TYPE_CHECKING:
    from speechkd.text import Tokens


def token_durations(alignment: Alignment, tokens: Tokens, n_frames: int, hop_s: float) -> NDArray[np.int64]:
    """Frames of every token, (T,) int64, none negative, with sum exactly `n_frames`.

    Token k ends at e_k seconds, hence at frame b_k = floor(e_k / hop_s + 0.5), and the last token at `n_frames`; its
    duration is b_k - b_(k-1). Rounding the boundaries instead of the durations lets no error add up. A pause token gets
    the silence found after its word, the first token the silence before the first word; 0 frames where there is none.

    `tokens` are the tokens as said (`speechkd.align.respell.respelled`), for aligners that choose among variants.
    Raises `DataError` when phones and tokens differ, when silence splits a word, or when the alignment is of another
    recording (its length is more than three frames off).
    """
    alignment.check()
    if abs(alignment.duration_s / hop_s - n_frames) > 3:
        why = f"it ends at {alignment.duration_s:.3f} s, the features at {n_frames * hop_s:.3f} s"
        raise DataError("The alignment is of another recording", why=why, todo="Align this utterance again.")
    ends = np.asarray(_token_ends(alignment, tokens))
    bounds = np.floor(ends / hop_s + 0.5).astype(np.int64).clip(0, n_frames)
    bounds[-1] = n_frames
    return np.diff(bounds, prepend=0)


def _token_ends(alignment: Alignment, tokens: Tokens) -> list[float]:
    """End of every token in seconds."""
    spoken = [phone.label for phone in alignment.spoken_phones()]
    check_same_phones(spoken, [phone for phone, _ in token_phones(tokens)])
    phones = list(alignment.phones)
    ends: list[float] = []
    at = 0
    for symbol, word in zip(tokens.symbols, tokens.word_index, strict=True):
        if word >= 0:
            _refuse_silence(phones[at], symbol)
            ends.append(phones[at].end_s)
            at += 1
            continue
        while at < len(phones) and phones[at].label == SILENCE:
            at += 1
        ends.append(phones[at - 1].end_s if at else 0.0)
    return ends


def _refuse_silence(phone: Interval, symbol: str) -> None:
    if phone.label == SILENCE:
        why = f"{phone.duration_s:.3f} s of silence before {symbol} at {phone.start_s:.3f} s"
        todo = "Correct the TextGrid or leave the utterance out."
        raise DataError("Silence inside a word", why=why, todo=todo)
