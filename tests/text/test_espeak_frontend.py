from __future__ import annotations

import sys
from pathlib import Path

import pytest

from speechkd.errors import ConfigError, DataError, ResourceError
from speechkd.text import ENGLISH_SYMBOLS, EnglishFrontend, EspeakFrontend, is_pause, make_frontend, symbols_for

SENTENCES = {
    "de": "Guten Tag, Herr Müller! Es kostet 3,50 Euro. Wie geht es Ihnen heute? Gut.",
    "fr": "Bonjour, mes amis ! Il est quinze heures. Tu viens demain ?",
    "es": "¡Hola! ¿Cómo estás? Tengo 25 años: bien.",
}


@pytest.fixture(autouse=True)
def _needs_espeak() -> None:
    pytest.importorskip("espeakng_loader", reason="needs espeak-ng's library")


@pytest.mark.parametrize("language", SENTENCES)
def test_phones_are_those_that_espeak_speaks(language: str) -> None:
    """The phoneme events of espeak-ng's synthesis are another way through the library."""
    from speechkd.audio.espeak import EspeakVoice

    tokens = EspeakFrontend(language).tokens(SENTENCES[language])
    phones = [symbol for symbol, word in zip(tokens.symbols, tokens.word_index, strict=True) if word >= 0]
    spoken = [ipa.strip("-") for *_, ipa in EspeakVoice(language).speak(SENTENCES[language]).phones]
    assert phones == spoken


def test_layout() -> None:
    tokens = EspeakFrontend("es").tokens("¡Hola! Tengo 25 años: bien")
    assert " ".join(tokens.symbols) == "^ ˈo l a ! t ˈɛ ŋ ɡ o | β ˌeɪ n t i θ ˈi n k o | ˈa ɲ o s : b j ˈe n ."
    assert [word.text for word in tokens.words] == ["Hola", "Tengo", "25", "años", "bien"]
    assert {word.source for word in tokens.words} == {"espeak"}


def test_punctuation_becomes_pauses() -> None:
    tokens = EspeakFrontend("de").tokens("Ja, nein; doch: wohl! Oder? Na gut – also … (gut).\n\nEnde")
    pauses = [symbol for symbol in tokens.symbols if is_pause(symbol)]
    assert len(pauses) == len(tokens.words)
    assert "".join(pauses).replace("|", "") == ",;:!?-..."
    assert "-" in EspeakFrontend("de").tokens("gut - also").symbols


def test_numbers_are_read_by_espeak() -> None:
    words = EspeakFrontend("de").tokens("Es kostet 3,50 Euro.").words
    assert [word.text for word in words] == ["Es", "kostet", "3,50", "3,50", "3,50", "3,50", "Euro"]
    assert EspeakFrontend("es").tokens("7 gatos").symbols == EspeakFrontend("es").tokens("siete gatos").symbols


def test_the_language_of_foreign_words_is_no_phone() -> None:
    tokens = EspeakFrontend("de").tokens("Das Meeting ist online.")
    assert not any("(" in symbol for symbol in tokens.symbols)


def test_the_same_text_gives_the_same_tokens() -> None:
    frontends = {language: EspeakFrontend(language) for language in SENTENCES}
    first = {language: frontend.tokens(SENTENCES[language]) for language, frontend in frontends.items()}
    for language in reversed(SENTENCES):
        assert frontends[language].tokens(SENTENCES[language]) == first[language]


def test_symbols_of_a_corpus() -> None:
    frontend = EspeakFrontend("de")
    utterances = [frontend.tokens(sentence) for sentence in ("Guten Tag.", "Wie geht es?")]
    table = symbols_for("de", utterances)
    assert table == symbols_for("de", reversed(utterances))
    assert table.symbols[:3] == ("_", "^", "|") and list(table.symbols[10:]) == sorted(table.symbols[10:])
    for tokens in utterances:
        assert tuple(table.decode(table.encode(tokens.symbols))) == tokens.symbols
    with pytest.raises(DataError, match="unknown symbol"):
        table.encode(frontend.tokens("Größe").symbols)
    assert symbols_for("en-us", utterances) == ENGLISH_SYMBOLS


@pytest.mark.parametrize("text", ["", " ", "...", "\0"])
def test_nothing_to_speak(text: str) -> None:
    with pytest.raises(DataError, match="nothing that can be spoken"):
        EspeakFrontend("de").tokens(text)


def test_long_and_odd_texts_end() -> None:
    frontend = EspeakFrontend("de")
    assert len(frontend.tokens("eins zwei, " * 2000).words) == 4000
    for text in ("日本語", "😀 gut", "a\ud800b", "[[x]] ja", "1" * 300, "x" * 2000):
        tokens = frontend.tokens(text)
        assert tokens.words and tokens.symbols[-1] in ".?!"


def test_make_frontend(tmp_path: Path) -> None:
    assert isinstance(make_frontend(), EnglishFrontend) and isinstance(make_frontend("EN-US"), EnglishFrontend)
    assert isinstance(make_frontend("de"), EspeakFrontend)
    with pytest.raises(ConfigError, match="takes no lexicon"):
        make_frontend("de", tmp_path / "words.txt")
    with pytest.raises(ConfigError, match="no language 'qq'"):
        make_frontend("qq").tokens("a")


def test_without_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "espeakng_loader", None)
    with pytest.raises(ResourceError, match=r"espeakng-loader.*pip install 'speechkd\[demo\]'"):
        make_frontend("de").tokens("Guten Tag")
    assert make_frontend("en-us").tokens("Good day").words


@pytest.mark.parametrize(("known_as", "name"), [("de-de", "de"), ("sv-se", "sv"), ("zh", "cmn")])
def test_languages_are_found_by_their_country_too(known_as: str, name: str) -> None:
    text = "Hallo, 3 Mal."
    assert EspeakFrontend(known_as).tokens(text).symbols == EspeakFrontend(name).tokens(text).symbols
