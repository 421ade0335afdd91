"""TextGrids that the user brings: taken when they fit the text, refused with both sequences when they do not."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given as given_by
from hypothesis import settings
from hypothesis import strategies as st

from speechkd.align import Alignment, GivenOptions, Interval, make_aligner, token_durations, write_textgrid
from speechkd.align.given_words import match_words
from speechkd.align.respell import respelled
from speechkd.errors import DataError
from speechkd.text.tokens import Tokens, Word, lay_out

SAMPLES, RATE = np.zeros(22050, np.float32), 22050


def write(folder: Path, labels: str, duration_s: float = 1.0) -> None:
    names = labels.split()
    step = duration_s / len(names)
    phones = tuple(Interval(i * step, (i + 1) * step, name) for i, name in enumerate(names))
    write_textgrid(folder / "u1.TextGrid", Alignment((), phones, duration_s))


def test_stress_and_words_come_from_the_tokens(tmp_path: Path, make_tokens: Any) -> None:
    write(tmp_path, "sil AH sp B IY1 sil")
    aligner = make_aligner(GivenOptions(folder=tmp_path))
    alignment = aligner.align(SAMPLES, RATE, make_tokens([("a", "AH0"), ("bee", "B IY1")]), utterance_id="u1")
    assert [phone.label for phone in alignment.phones] == ["", "AH0", "", "B", "IY1", ""]
    assert [(w.label, round(w.start_s, 3), round(w.end_s, 3)) for w in alignment.words] == [
        ("a", 0.167, 0.333),
        ("bee", 0.5, 0.833),
    ]


def test_other_pronunciation_is_named_at_the_first_difference(tmp_path: Path, make_tokens: Any) -> None:
    write(tmp_path, "AH B EH1")
    with pytest.raises(DataError, match=r"u1\.TextGrid.*phone 3.*AH B \[EH1\].*AH0 B \[IY1\]"):
        make_aligner(GivenOptions(folder=tmp_path)).align(
            SAMPLES, RATE, make_tokens([("a", "AH0"), ("bee", "B IY1")]), utterance_id="u1"
        )


@pytest.mark.parametrize(
    ("labels", "duration_s", "message"),
    [("AH spn", 1.0, "spn"), ("AH B IY", 1.2, "another recording"), ("AH B IY K", 1.0, r"\[K\].*\[end\]")],
)
def test_unfit_textgrids(tmp_path: Path, make_tokens: Any, labels: str, duration_s: float, message: str) -> None:
    write(tmp_path, labels, duration_s)
    with pytest.raises(DataError, match=message):
        make_aligner(GivenOptions(folder=tmp_path)).align(
            SAMPLES, RATE, make_tokens([("abie", "AH0 B IY1")]), utterance_id="u1"
        )


def test_missing_textgrid(tmp_path: Path, make_tokens: Any) -> None:
    with pytest.raises(DataError, match=r"No alignment of u9 was found: there is no u9\.TextGrid"):
        make_aligner(GivenOptions(folder=tmp_path)).align(SAMPLES, RATE, make_tokens([("a", "AH0")]), utterance_id="u9")


def grid(folder: Path, words: str, duration_s: float | None = None) -> Any:
    """A TextGrid of "word: PH ON ES" parts with "-" for silence, 100 ms each phone; the aligner's answer for it."""
    at, word_rows, phone_rows = 0.0, [], []
    for part in words.split("|"):
        name, _, phones = part.strip().rpartition(":")
        start = at
        for phone in phones.split():
            phone_rows.append(Interval(round(at, 3), round(at + 0.1, 3), "" if phone == "-" else phone))
            at += 0.1
        if name:
            word_rows.append(Interval(round(start, 3), round(at, 3), name))
    end = round(at, 3)
    write_textgrid(folder / "u1.TextGrid", Alignment(tuple(word_rows), tuple(phone_rows), end))
    return np.zeros(round((duration_s or end) * RATE), np.float32)


def aligned(folder: Path, samples: Any, tokens: Tokens, **options: Any) -> Alignment:
    aligner = make_aligner(GivenOptions(folder=folder, **options))
    return aligner.align(samples, RATE, tokens, utterance_id="u1")


#: text of the utterance, what the TextGrid has, the words and phones expected
SAME_WORDS = {
    "case and hyphen": (
        [("forty-two", "F AO1 R T IY0 T UW1"), ("us", "AH1 S")],
        "FORTY: F AO1 R T IY2|Two: T UW1|us: AH1 S",
        "F AO1 R T IY0 T UW1 AH1 S",
    ),
    "apostrophe": ([("jenson's", "JH EH1 N S AH0 N Z")], "jenson: JH EH1 N S AH0 N|s: EH1 S", "JH EH1 N S AH0 N EH1 S"),
    "apostrophe at the end": ([("debtors'", "D EH1 T ER0 Z")], "debtors: D EH1 T ER0 Z", "D EH1 T ER0 Z"),
    "joined": ([("fire", "F AY1 ER0"), ("house", "HH AW1 S")], "firehouse: F AY1 R HH AW2 S", "F AY1 R HH AW1 S"),
    "abbreviation": ([("messieurs", "M EY0 S Y ER1 Z")], "messrs: M EH1 S ER0 Z", "M EH1 S ER0 Z"),
    "abbreviation of two": (
        [("et", "EH1 T"), ("cetera", "S EH1 T ER0 AH0")],
        "etc: EH2 T S EH1 T ER0 AH0",
        "EH1 T S EH1 T ER0 AH0",
    ),
    "same sounds": ([("grey", "G R EY1")], "gray: G R EY", "G R EY1"),
    "no stress, listed": ([("record", "R EH1 K ER0 D")], "record: R EH K ER D", "R EH1 K ER0 D"),
    "no stress, other phones": ([("either", "IY1 DH ER0")], "either: AY DH ER", "AY1 DH ER0"),
    "no stress, other number of vowels": ([("our", "AW1 ER0")], "our: AA R", "AA0 R"),
}


@pytest.mark.parametrize("case", SAME_WORDS)
def test_words_are_matched_and_pronunciations_adopted(tmp_path: Path, make_tokens: Any, case: str) -> None:
    text, given, expected = SAME_WORDS[case]
    tokens = make_tokens(text)
    samples = grid(tmp_path, f"-|{given}|-")
    found = aligned(tmp_path, samples, tokens)
    assert [phone.label for phone in found.spoken_phones()] == expected.split()
    assert [word.label for word in found.words] == [word for word, _ in text]
    said = respelled(tokens, found)
    assert [symbol for symbol, word in zip(said.symbols, said.word_index, strict=True) if word >= 0] == expected.split()
    durations = token_durations(found, said, 100, len(samples) / RATE / 100)
    assert durations.sum() == 100 and (durations[np.asarray(said.word_index) >= 0] > 0).all()


def test_joined_words_are_cut_where_the_pronunciations_fit(tmp_path: Path, make_tokens: Any) -> None:
    samples = grid(tmp_path, "etc: EH2 T S EH1 T ER0 AH0|-")
    found = aligned(tmp_path, samples, make_tokens([("et", "EH1 T"), ("cetera", "S EH1 T ER0 AH0")]))
    assert [(w.label, round(w.start_s, 3), round(w.end_s, 3)) for w in found.words] == [
        ("et", 0, 0.2),
        ("cetera", 0.2, 0.7),
    ]


def test_variants_count_as_the_texts_own_stress(tmp_path: Path) -> None:
    tokens = lay_out([Word("read", ("R", "EH1", "D"), "lexicon", (("R", "IY2", "D"),))], ["."])
    found = aligned(tmp_path, grid(tmp_path, "read: R IY D"), tokens)
    assert [phone.label for phone in found.phones] == ["R", "IY2", "D"]


def test_pronunciations_can_be_refused(tmp_path: Path, make_tokens: Any) -> None:
    tokens = make_tokens([("either", "IY1 DH ER0")])
    samples = grid(tmp_path, "either: AY1 DH ER0")
    assert [phone.label for phone in aligned(tmp_path, samples, tokens).phones] == ["AY1", "DH", "ER0"]
    with pytest.raises(DataError, match=r"\[AY1\].*\[IY1\]"):
        aligned(tmp_path, samples, tokens, pronunciations="refuse")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("a: AH0|c: S IY1", r"differ at word 2: the TextGrid has 'c', the text 'bee'"),
        ("a: AH0", r"differ at word 2: the TextGrid has 'nothing more', the text 'bee'"),
        ("a: AH0|bee: B IY1|and: AE N D", r"differ at word 3: the TextGrid has 'and', the text 'nothing more'"),
        ("a: AH0|<unk>: spn", r"did not know 'bee': phone spn at 0.100 s.*backend mfa"),
        ("a: AH0|[laughter]: spn|bee: B IY1", r"did not know '\[laughter\]' at 0.100 s"),
        ("a: AH0|bee: B i", r"Unknown phone 'i' at 0.200 s.*english_us_arpa"),
        ("a: AH0|: K|bee: B IY1", r"Phone K at 0.100 s belongs to no word"),
        ("a: AH0|bee: B IY1|: K", r"Phone K at 0.300 s belongs to no word"),
        ("a: AH0|bee: B - - - IY1", r"Silence inside a word: 0.300 s of silence inside 'bee' at 0.200 s"),
    ],
)
def test_textgrids_that_are_of_another_text(tmp_path: Path, make_tokens: Any, given: str, message: str) -> None:
    samples = grid(tmp_path, given)
    with pytest.raises(DataError, match=message):
        aligned(tmp_path, samples, make_tokens([("a", "AH0"), ("bee", "B IY1")]))


def test_short_pause_inside_a_word_is_held_and_noted(tmp_path: Path, make_tokens: Any) -> None:
    samples = grid(tmp_path, "forty: F AO1 R T IY0|-|two: T UW1")
    found = aligned(tmp_path, samples, make_tokens([("forty-two", "F AO1 R T IY0 T UW1")]))
    assert [phone.label for phone in found.phones] == "F AO1 R T IY0 T UW1".split()
    assert round(found.phones[4].duration_s, 3) == 0.2
    assert found.note == "0.100 s of silence inside 'forty-two' at 0.500 s went to IY0"


@pytest.mark.parametrize(
    ("longer_s", "ends"),
    [
        (0.015, [0.1, 0.315]),  # MFA's own rounding: the last phone's
        (0.04, [0.1, 0.3, 0.34]),  # two frames and more: silence
        (-0.03, [0.1, 0.27]),
    ],
)
def test_recording_and_textgrid_of_nearly_the_same_length(
    tmp_path: Path, make_tokens: Any, longer_s: float, ends: list[float]
) -> None:
    samples = grid(tmp_path, "ah: AH0|oh: OW1 OW1", duration_s=0.3 + longer_s)
    found = aligned(tmp_path, samples, make_tokens([("ah", "AH0"), ("oh", "OW1 OW1")]))
    assert [round(phone.end_s, 3) for phone in found.phones if phone.end_s != pytest.approx(0.2)] == ends
    assert found.duration_s == len(samples) / RATE


def test_silences_under_a_frame_are_given_to_their_neighbour(tmp_path: Path, make_tokens: Any) -> None:
    times = [0, 0.005, 0.1, 0.104, 0.2]
    rows = [Interval(a, b, name) for a, b, name in zip(times, times[1:], ["", "AH0", "", "AH0"], strict=False)]
    words = (Interval(0.005, 0.1, "a"), Interval(0.104, 0.2, "a"))
    write_textgrid(tmp_path / "u1.TextGrid", Alignment(words, tuple(rows), 0.2))
    found = aligned(tmp_path, np.zeros(4410, np.float32), make_tokens([("a", "AH0"), ("a", "AH0")]))
    assert [(p.start_s, p.end_s, p.label) for p in found.phones] == [(0, 0.104, "AH0"), (0.104, 0.2, "AH0")]


def test_textgrids_in_folders_of_speakers(tmp_path: Path, make_tokens: Any) -> None:
    for speaker in ("anna", "ben"):
        (tmp_path / speaker).mkdir()
    samples = grid(tmp_path / "ben", "a: AH0")
    tokens = make_tokens([("a", "AH0")])
    assert [phone.label for phone in aligned(tmp_path, samples, tokens).phones] == ["AH0"]
    grid(tmp_path / "anna", "a: AH0")
    with pytest.raises(DataError, match=r"Several TextGrids are called u1\.TextGrid.*anna.*ben"):
        aligned(tmp_path, samples, tokens)
    with pytest.raises(DataError, match="folder of alignments is missing"):
        aligned(tmp_path / "none", samples, tokens)


def test_reasons_of_the_program_that_made_the_folder(tmp_path: Path, make_tokens: Any) -> None:
    (tmp_path / "reasons.json").write_text('{"u1": "MFA did not align it: Beam too narrow"}', encoding="utf-8")
    with pytest.raises(DataError, match="u1: MFA did not align it: Beam too narrow"):
        aligned(tmp_path, np.zeros(RATE, np.float32), make_tokens([("a", "AH0")]))
    (tmp_path / "reasons.json").write_text("{", encoding="utf-8")
    with pytest.raises(DataError, match="Cannot read why"):
        aligned(tmp_path, np.zeros(RATE, np.float32), make_tokens([("a", "AH0")]))


words_of_letters = st.lists(st.text("ab'-", min_size=1, max_size=4).filter(lambda w: w.strip("'-")), max_size=6)


@settings(max_examples=200, deadline=None)
@given_by(words_of_letters.filter(bool), st.data())
def test_any_cut_of_the_same_letters_is_matched(text: list[str], data: st.DataObject) -> None:
    """Against the letters themselves: groups hold the same letters on both sides, and no smaller cut of them does."""
    letters = re.sub("['-]", "", "".join(text))
    cuts = sorted(data.draw(st.sets(st.integers(1, len(letters) - 1)))) if len(letters) > 1 else []
    heard = [letters[a:b] for a, b in pairwise([0, *cuts, len(letters)])]
    rows = tuple(Interval(i, i + 1, word) for i, word in enumerate(heard))
    phones = tuple(Interval(i, i + 1, "AH0") for i in range(len(heard)))
    words = [Word(word, ("IY1",), "rules") for word in text]
    try:
        groups = match_words(Alignment(rows, phones, len(heard)), words, "here")
    except DataError:
        # A group has at most six words of either side.
        assert max(len(heard), len(text)) > 6
        return
    assert [sum(side) for side in zip(*groups, strict=True)] == [len(heard), len(text)]
    first = second = 0
    for a, b in groups:
        written = re.sub("['-]", "", "".join(text[second : second + b]))
        assert "".join(heard[first : first + a]) == written
        first, second = first + a, second + b


def test_all_mfa_textgrids_of_known_words_fit_the_text(shared_data: Any) -> None:
    """Real TextGrids of MFA 1.x for 300 LJSpeech clips: all but the 19 with an unknown word are taken."""
    from speechkd.align import read_textgrid
    from speechkd.text import EnglishFrontend

    folder = shared_data("data/speech/ljspeech300")
    frontend = EnglishFrontend()
    failed: dict[str, str] = {}
    for line in (folder / "metadata.csv").read_text(encoding="utf-8").splitlines():
        name, text = line.split("|")[0], line.split("|")[-1]
        duration_s = read_textgrid(folder / f"TextGrid/{name}.TextGrid").duration_s
        samples = np.zeros(round(duration_s * RATE), np.float32)
        tokens = frontend.tokens(text)
        aligner = make_aligner(GivenOptions(folder=folder / "TextGrid"))
        try:
            found = aligner.align(samples, RATE, tokens, utterance_id=name)
        except DataError as error:
            failed[name] = str(error)
            continue
        said = respelled(tokens, found)
        n_frames = len(samples) // 256 + 1
        assert token_durations(found, said, n_frames, 256 / RATE).sum() == n_frames
        assert [word.text for word in said.words] == [word.label for word in found.words]
    assert len(failed) == 19
    assert {reason for reason in failed.values() if "phone spn" not in reason} == set()


def test_all_mfa_textgrids_are_readable(shared_data: Any) -> None:
    from speechkd.align import read_textgrid

    paths = sorted(shared_data("data/speech/ljspeech300/TextGrid").glob("*.TextGrid"))
    alignments = [read_textgrid(path) for path in paths]
    assert len(alignments) == 300
    assert not {"sp", "sil"} & {phone.label for alignment in alignments for phone in alignment.phones}
