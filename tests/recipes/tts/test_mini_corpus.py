"""The mini corpus: what its sentences cover, and that text, sound and times agree."""

from __future__ import annotations

import hashlib
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import soundfile

from recipes.tts.common.corpora.mini import MARGIN_S, mini_sentences, speak_mini_corpus
from speechkd.align.textgrid import read_textgrid
from speechkd.errors import UsageError
from speechkd.text import PHONES, EnglishFrontend, cmu_lexicon, normalise_english

FRONTEND = EnglishFrontend()


def test_sentences_are_plain_and_varied() -> None:
    sentences = mini_sentences()
    assert len(sentences) == 100 == len(set(sentences))
    for sentence in sentences:
        tokens = FRONTEND.tokens(sentence)
        assert 5 <= len(tokens.words) <= 14, sentence
        assert {word.source for word in tokens.words} == {"lexicon"}, sentence
        assert normalise_english(sentence).dropped == ()
        assert "|" not in sentence
    endings = Counter(sentence[-1] for sentence in sentences)
    assert endings["?"] >= 10 and endings["!"] >= 5
    assert sum("," in sentence for sentence in sentences) >= 15


def test_every_phone_occurs_often() -> None:
    symbols = Counter(symbol for sentence in mini_sentences() for symbol in FRONTEND.tokens(sentence).symbols)
    bare = Counter()
    for phone in PHONES:
        bare[phone.rstrip("012")] += symbols[phone]
    assert len(bare) == 39 and min(bare.values()) >= 10
    # Symbols with stress that the dictionary itself uses at least 2000 times.
    lexicon = cmu_lexicon()
    listed = Counter(phone for word in lexicon.words() for variant in lexicon.variants(word) for phone in variant)
    for phone in PHONES:
        if listed[phone] >= 2000:
            assert symbols[phone] >= 4, phone


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("espeakng_loader")
    folder = tmp_path_factory.mktemp("mini")
    speak_mini_corpus(folder)
    return folder


def test_layout(corpus: Path) -> None:
    lines = (corpus / "metadata.csv").read_text(encoding="utf-8").splitlines()
    assert [line.split("|")[1] for line in lines] == list(mini_sentences())
    assert all(line.split("|")[1] == line.split("|")[2] for line in lines)
    names = [line.split("|")[0] for line in lines]
    assert names == sorted(path.stem for path in (corpus / "wavs").iterdir())
    assert names == sorted(path.stem for path in (corpus / "TextGrid").iterdir())


def test_sound(corpus: Path) -> None:
    total_s = 0.0
    for path in (corpus / "wavs").iterdir():
        info = soundfile.info(path)
        assert (info.samplerate, info.channels, info.subtype) == (22_050, 1, "PCM_16")
        total_s += info.duration
        samples, rate = soundfile.read(path)
        margin = int(MARGIN_S * rate)
        assert not samples[:margin].any() and not samples[-margin:].any()
        assert 0.1 < np.abs(samples).max() < 1
    assert 4 * 60 < total_s < 6 * 60


def test_times_agree_with_the_text(corpus: Path) -> None:
    for path, sentence in zip(sorted((corpus / "TextGrid").iterdir()), mini_sentences(), strict=True):
        alignment = read_textgrid(path)
        words = FRONTEND.tokens(sentence).words
        phones = [phone for phone in alignment.phones if phone.label]
        assert [phone.label for phone in phones] == [phone for word in words for phone in word.phones]
        assert [word.label for word in alignment.words] == [word.text for word in words]
        assert all(0.01 < phone.end_s - phone.start_s < 0.4 for phone in phones)
        samples, rate = soundfile.read(corpus / "wavs" / f"{path.stem}.wav")
        assert alignment.duration_s == pytest.approx(len(samples) / rate)


def test_same_bytes_and_fewer_sentences(corpus: Path, tmp_path: Path) -> None:
    speak_mini_corpus(tmp_path, 3)
    made = sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*") if path.is_file())
    assert len(made) == 7
    for path in made:
        if path.name != "metadata.csv":
            ours, theirs = ((root / path).read_bytes() for root in (tmp_path, corpus))
            assert hashlib.sha256(ours).digest() == hashlib.sha256(theirs).digest()


@pytest.mark.parametrize("number", [0, -1, 101])
def test_numbers_out_of_range(number: int, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="100 sentences"):
        speak_mini_corpus(tmp_path, number)
