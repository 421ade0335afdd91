"""The recogniser hears real speech, the same each time; the word error rate follows its definition."""

from __future__ import annotations

import numpy as np
import pytest

from speechkd.audio.io import read_audio
from speechkd.errors import DataError
from speechkd.metrics.recognition import Recogniser, plain_words, word_error_rate
from tests.conftest import shared_data


def test_plain_words_are_lower_case_without_marks():
    assert plain_words("\N{LEFT DOUBLE QUOTATION MARK}Don\N{RIGHT SINGLE QUOTATION MARK}t,\N{EM DASH}he SAID!") == (
        "don't he said"
    )
    assert plain_words(" ... ") == ""


def test_word_error_rate_by_hand():
    # One substitution and one insertion over six reference words; sentences pool their words.
    assert word_error_rate(["The cat sat.", "On the mat."], ["the hat sat", "on the the mat"]) == pytest.approx(2 / 6)
    assert word_error_rate(["a b"], [""]) == 1.0
    assert word_error_rate(["A b!"], ["a B"]) == 0.0


def test_word_error_rate_needs_pairs_and_words():
    with pytest.raises(DataError):
        word_error_rate(["a"], [])
    with pytest.raises(DataError, match="no reference words"):
        word_error_rate(["..."], ["a"])


def test_recogniser_hears_silence_as_nothing_much():
    assert len(Recogniser().transcribe(np.zeros(16000), 16000).split()) <= 1


def test_recogniser_is_fair_and_repeatable_on_real_speech():
    lines = shared_data("data/speech/kathleen1032/metadata.csv").read_text(encoding="utf-8").splitlines()[:6]
    recogniser = Recogniser()
    references, heard = [], []
    for line in lines:
        name, text = line.split("|")[:2]
        audio = read_audio(shared_data(f"data/speech/kathleen1032/wavs/{name}.flac"))
        references.append(text)
        heard.append(recogniser.transcribe(audio.samples, audio.sample_rate))
    assert word_error_rate(references, heard) < 0.4
    # Nothing of earlier recordings is left over in the recogniser.
    audio = read_audio(shared_data(f"data/speech/kathleen1032/wavs/{lines[0].split('|')[0]}.flac"))
    assert recogniser.transcribe(audio.samples, audio.sample_rate) == heard[0]
