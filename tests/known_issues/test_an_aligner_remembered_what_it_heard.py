"""The decoder carried over what it had heard: other recordings before it changed an utterance's alignment."""

from __future__ import annotations

from pathlib import Path

import pytest

from recipes.tts.common.corpora.mini import mini_sentences, speak_mini_corpus
from speechkd.align import PocketsphinxOptions
from speechkd.align.pocketsphinx import PocketsphinxAligner
from speechkd.audio.io import read_audio
from speechkd.text import EnglishFrontend


def test_every_utterance_gets_a_decoder_that_heard_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("espeakng_loader")
    from speechkd.align import pocketsphinx_words

    made: list[object] = []
    make = pocketsphinx_words._decoder
    monkeypatch.setattr(pocketsphinx_words, "_decoder", lambda *beams: made.append(make(*beams)) or made[-1])
    speak_mini_corpus(tmp_path, 3)
    aligner, frontend = PocketsphinxAligner(PocketsphinxOptions()), EnglishFrontend()
    for number, sentence in enumerate(mini_sentences()[:3], start=1):
        audio = read_audio(tmp_path / "wavs" / f"MINI-{number:03d}.wav")
        aligner.align(audio.samples, audio.sample_rate, frontend.tokens(sentence))
    assert len(made) == 3 and len({id(decoder) for decoder in made}) == 3
