"""The listener on speech that was spoilt on purpose."""

from __future__ import annotations

import numpy as np
import pytest

from recipes.tts.common.corpora.mini import mini_sentences, speak_tokens
from speechkd.audio.espeak import EspeakVoice
from speechkd.audio.io import read_audio
from speechkd.errors import DataError
from speechkd.metrics.known_words import KnownWords
from speechkd.metrics.word_errors import word_errors
from speechkd.text import EnglishFrontend
from tests.conftest import shared_data


def test_a_word_cut_out_is_skipped_and_a_doubled_one_said_again() -> None:
    """espeak-ng tells exactly where its words are; the sentences are those that the listener understands at all."""
    frontend, voice, listener = EnglishFrontend(), EspeakVoice(), KnownWords()
    understood = cut = doubled = 0
    for sentence in mini_sentences()[:12]:
        tokens = frontend.tokens(sentence)
        spoken = speak_tokens(voice, tokens)
        words = [(word.phones, *word.variants) for word in tokens.words]
        n, rate = len(words), spoken.sample_rate
        if listener.heard(spoken.samples, rate, words) != list(range(n)):
            continue
        understood += 1
        place = n // 2
        start, end = (round(time_s * rate) for time_s in spoken.words[place][:2])
        without = np.concatenate([spoken.samples[:start], spoken.samples[end:]])
        twice = np.concatenate([spoken.samples[:end], spoken.samples[start:]])
        cut += place in word_errors(range(n), listener.heard(without, rate, words) or []).skipped
        doubled += word_errors(range(n), listener.heard(twice, rate, words) or []).repeats > 0
    assert understood >= 4
    assert cut >= 0.7 * understood
    assert doubled >= 0.5 * understood  # it hears real speech better, see below


def test_real_speech_is_heard_whole_and_the_same_each_time() -> None:
    lines = shared_data("data/speech/kathleen1032/metadata.csv").read_text(encoding="utf-8").splitlines()[:6]
    frontend, listener = EnglishFrontend(), KnownWords()
    words_said = wrong = 0
    for line in lines:
        name, text = line.split("|")[:2]
        audio = read_audio(shared_data(f"data/speech/kathleen1032/wavs/{name}.flac"))
        words = [(word.phones, *word.variants) for word in frontend.tokens(text).words]
        heard = listener.heard(audio.samples, audio.sample_rate, words)
        assert heard == listener.heard(audio.samples * 0.1, audio.sample_rate, words)
        errors = word_errors(range(len(words)), heard or [])
        words_said += len(words)
        wrong += len(errors.skipped) + errors.repeats
    assert wrong <= 0.03 * words_said


def test_silence_is_hardly_a_word_and_unknown_phones_are_told() -> None:
    words = [(("HH", "AH0", "L", "OW1"),), (("W", "ER1", "L", "D"),)]
    assert len(KnownWords().heard(np.zeros(16000), 16000, words) or []) <= 1
    with pytest.raises(DataError, match="QX"):
        KnownWords().heard(np.zeros(16000), 16000, [(("QX",),)])
