"""Which words of a known sentence were said, left out, or said again: a recogniser that expects this sentence.

A recogniser with a language model of English mishears single letters and digits far more often than a synthesiser skips
them. Here pocketsphinx searches a finite-state grammar of the one sentence instead: its words in order, each of which
may be passed over, and after each of which it may be said again; both at the price of a small probability.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from speechkd.audio.io import resample
from speechkd.errors import DataError, missing_extra

SAMPLE_RATE = 16000

#: Pronunciations of one word, the usual one first.
Pronunciations = Sequence[Sequence[str]]

# A compromise: more, and more good words are called wrong; less, and more errors pass unheard. The claims recipe
# measures both on recordings that were spoilt on purpose.
SKIP = REPEAT = 1e-9
_BEAM, _WORD_BEAM = 1e-160, 1e-120
# As much as the level of a recording may change the features: none.
_PEAK = 0.5


class KnownWords:
    """Listens for the words of one sentence at a time. Deterministic: it remembers nothing of earlier recordings."""

    def __init__(self, skip: float = SKIP, repeat: float = REPEAT) -> None:
        self.skip, self.repeat = skip, repeat

    def heard(self, samples: npt.ArrayLike, sample_rate: int, words: Sequence[Pronunciations]) -> list[int] | None:
        """The places in `words` of the words heard in samples (T,), in the order of time; None if nothing fits.

        words: ARPAbet phones, with or without stress. Raises DataError for a phone that the recogniser does not know.
        """
        decoder = _decoder()
        names = [f"w{place:05d}" for place in range(len(words))]
        for name, choices in zip(names, words, strict=True):
            _add(decoder, name, choices)
        decoder.add_fsg("sentence", decoder.create_fsg("sentence", 0, len(names), self._grammar(names)))
        decoder.activate_search("sentence")
        decoder.start_utt()
        decoder.process_raw(_pcm(np.asarray(samples, dtype=np.float32), sample_rate), full_utt=True)
        decoder.end_utt()
        if decoder.hyp() is None:
            return None
        place = {name: number for number, name in enumerate(names)}
        found = (segment.word.partition("(")[0] for segment in decoder.seg())
        return [place[name] for name in found if name in place]

    def _grammar(self, names: Sequence[str]) -> list[tuple[Any, ...]]:
        """State i: i words are dealt with. Transitions without a word skip the next one, or go back to say the last."""
        transitions: list[tuple[Any, ...]] = []
        for state, name in enumerate(names):
            transitions.append((state, state + 1, 1.0 - self.skip, name))
            transitions.append((state, state + 1, self.skip))
            transitions.append((state + 1, state, self.repeat))
        return transitions


def _decoder() -> Any:
    try:
        from pocketsphinx import Decoder
    except ImportError as error:
        raise missing_extra("pocketsphinx", "train", "listening for words") from error
    # No dictionary: every word brings its own pronunciations. The grammar's probabilities count as they stand (lw).
    return Decoder(
        samprate=SAMPLE_RATE, lm=None, dict=None, bestpath=False, loglevel="FATAL",
        beam=_BEAM, pbeam=_BEAM, wbeam=_WORD_BEAM, lw=1.0,
    )  # fmt: skip


def _add(decoder: Any, name: str, choices: Pronunciations) -> None:
    for number, phones in enumerate(choices, start=1):
        bare = " ".join(phone.rstrip("012") for phone in phones)
        try:
            decoder.add_word(name if number == 1 else f"{name}({number})", bare, True)
        except RuntimeError as error:
            raise DataError(f"phones {bare!r} are not in the recogniser's model") from error


def _pcm(samples: npt.NDArray[np.float32], sample_rate: int) -> bytes:
    peak = float(np.abs(samples).max(initial=0.0))
    scaled = samples * np.float32(_PEAK / peak) if np.isfinite(peak) and peak > 0 else np.zeros_like(samples)
    if sample_rate != SAMPLE_RATE:
        scaled = resample(scaled, sample_rate, SAMPLE_RATE)
    return np.clip(np.round(scaled * 32767.0), -32768, 32767).astype("<i2").tobytes()
