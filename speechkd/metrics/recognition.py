"""Intelligibility: what a recogniser hears in synthesised speech, and its word error rate."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from speechkd.audio.io import resample
from speechkd.errors import DataError, missing_extra

RECOGNISER_RATE = 16000


def plain_words(text: str) -> str:
    """Lower-case words of a to z and inner apostrophes, one space apart: the form in which texts are compared."""
    lowered = text.lower().replace("\N{RIGHT SINGLE QUOTATION MARK}", "'")
    return " ".join(re.findall(r"[a-z]+(?:'[a-z]+)*", lowered))


class Recogniser:
    """pocketsphinx with the en-us models and the trigram language model that come in its wheel. Deterministic."""

    def __init__(self) -> None:
        try:
            from pocketsphinx import Decoder
        except ImportError as error:
            raise missing_extra("pocketsphinx", "train", "the recogniser of the word error rate") from error
        self._decoder = Decoder(samprate=RECOGNISER_RATE, loglevel="FATAL")

    def transcribe(self, samples: npt.ArrayLike, sample_rate: int) -> str:
        """The words heard in samples (T,) in [-1, 1], lower-case; "" if nothing was recognised."""
        signal = np.asarray(samples, dtype=np.float32)
        if sample_rate != RECOGNISER_RATE:
            signal = resample(signal, sample_rate, RECOGNISER_RATE)
        pcm = (np.clip(signal, -1.0, 1.0) * 32767.0).astype("<i2").tobytes()
        # The running cepstral mean would carry the last recording into this one: start from the model's own.
        self._decoder.reinit_feat()
        self._decoder.start_utt()
        self._decoder.process_raw(pcm, full_utt=True)
        self._decoder.end_utt()
        hypothesis = self._decoder.hyp()
        return plain_words(hypothesis.hypstr) if hypothesis else ""


def word_error_rate(references: Sequence[str], hypotheses: Sequence[str]) -> float:
    """(substitutions + deletions + insertions) / reference words over all pairs, after `plain_words`.

    Numbers and abbreviations must be written out in the references. Raises DataError if the lists differ in
    length or the references hold no word.
    """
    try:
        import jiwer
    except ImportError as error:
        raise missing_extra("jiwer", "train", "the word error rate") from error
    if len(references) != len(hypotheses):
        raise DataError(f"{len(references)} references but {len(hypotheses)} hypotheses")
    pairs = [(plain_words(r), plain_words(h)) for r, h in zip(references, hypotheses, strict=True)]
    pairs = [(reference, hypothesis) for reference, hypothesis in pairs if reference]
    if not pairs:
        raise DataError("the word error rate has no reference words")
    return float(jiwer.wer([reference for reference, _ in pairs], [hypothesis for _, hypothesis in pairs]))
