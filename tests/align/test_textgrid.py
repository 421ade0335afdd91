"""TextGrids: formats and encodings against hand-written files, faults with their line, and a round trip."""

from __future__ import annotations

import contextlib
import re
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speechkd.align import Alignment, Interval, read_textgrid, write_textgrid
from speechkd.errors import DataError, SpeechkdError

LONG = '''File type = "ooTextFile"
Object class = "TextGrid"

xmin = 0
xmax = 1.5
tiers? <exists>
size = 3
item []:
    item [1]:
        class = "IntervalTier"
        name = "words"
        xmin = 0
        xmax = 1.5
        intervals: size = 3
        intervals [1]:
            xmin = 0
            xmax = 0.5
            text = "say ""5 7"""
        intervals [2]:
            xmin = 0.5
            xmax = 1.0
            text = ""
        intervals [3]:
            xmin = 1.0
            xmax = 1.5
            text = "it"
    item [2]:
        class = "TextTier"
        name = "clicks"
        xmin = 0
        xmax = 1.5
        points: size = 1
        points [1]:
            number = 0.7
            mark = "x"
    item [3]:
        class = "IntervalTier"
        name = "phones"
        xmin = 0
        xmax = 1.5
        intervals: size = 4
        intervals [1]:
            xmin = 0
            xmax = 0.5
            text = "S"
        intervals [2]:
            xmin = 0.5
            xmax = 1.0
            text = "sil"
        intervals [3]:
            xmin = 1.0
            xmax = 1.2
            text = "IH1"
        intervals [4]:
            xmin = 1.2
            xmax = 1.5
            text = "T"
'''

SHORT = '''File type = "ooTextFile"
"TextGrid"

0
1.5
<exists>
2
"IntervalTier"
"words"
0
1.5
3
0
0.5
"say ""5 7"""
0.5
1.0
""
1.0
1.5
"it"
"IntervalTier"
"phones"
0
1.5
4
0 0.5 "S"
0.5 1.0 "sp"
1.0 1.2 "IH1"
1.2 1.5 "T"
'''

EXPECTED = Alignment(
    words=(Interval(0.0, 0.5, 'say "5 7"'), Interval(1.0, 1.5, "it")),
    phones=(Interval(0.0, 0.5, "S"), Interval(0.5, 1.0, ""), Interval(1.0, 1.2, "IH1"), Interval(1.2, 1.5, "T")),
    duration_s=1.5,
)


@pytest.mark.parametrize("text", [LONG, SHORT, LONG.replace("\n", "\r\n")], ids=["long", "short", "crlf"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_reads_every_format_and_encoding(tmp_path: Path, text: str, encoding: str) -> None:
    path = tmp_path / "a.TextGrid"
    path.write_bytes(text.encode(encoding))
    assert read_textgrid(path) == EXPECTED


def test_written_file_reads_the_same_and_names_the_tiers_as_mfa_does(tmp_path: Path) -> None:
    path = tmp_path / "a.TextGrid"
    write_textgrid(path, EXPECTED)
    assert read_textgrid(path) == EXPECTED
    names = [line.strip() for line in path.read_text(encoding="utf-8").splitlines() if "name" in line]
    assert names == ['name = "words"', 'name = "phones"']


def grid(words: list[tuple[float, float, str]], phones: list[tuple[float, float, str]], end: float = 1.0) -> str:
    """A TextGrid in short format."""
    lines = ['"ooTextFile"', '"TextGrid"', f"0 {end} <exists> 2"]
    for name, rows in (("words", words), ("phones", phones)):
        lines += [f'"IntervalTier" "{name}" 0 {end} {len(rows)}', *(f'{a} {b} "{label}"' for a, b, label in rows)]
    return "\n".join(lines)


#: The same speech as versions of MFA write it: "us we" with silence at both ends and between.
WORDS = [(0.2, 0.4, "us"), (0.6, 0.8, "we")]
PHONES = [(0.2, 0.3, "AH1"), (0.3, 0.4, "S"), (0.6, 0.7, "W"), (0.7, 0.8, "IY1")]
QUIET = [(0.0, 0.2), (0.4, 0.6), (0.8, 1.0)]
CONVENTIONS = {
    "1.x: sil and sp": grid(
        sorted([*WORDS, (*QUIET[1], "")]),
        sorted([*PHONES, (*QUIET[0], "sil"), (*QUIET[1], "sp"), (*QUIET[2], "sil")]),
    ),
    "2.x: empty intervals": grid(
        sorted([*WORDS, *[(*at, "") for at in QUIET]]), sorted([*PHONES, *[(*at, "") for at in QUIET]])
    ),
    "2.x with clean-up: no intervals": grid(WORDS, PHONES),
    "3.x without clean-up: sil and <eps>": grid(
        sorted([*WORDS, *[(*at, "<eps>") for at in QUIET]]), sorted([*PHONES, *[(*at, "sil") for at in QUIET]])
    ),
    "speakers' tiers": grid(WORDS, PHONES).replace('"words"', '"lj - words"').replace('"phones"', '"lj - phones"'),
    "tier cut at its last phone": grid(sorted([*WORDS, (0.8, 1.0, "")]), PHONES).replace(
        '"IntervalTier" "phones" 0 1.0', '"IntervalTier" "phones" 0 0.8'
    ),
    "silences next to each other": grid(WORDS, sorted([*PHONES, (0.4, 0.5, "sp"), (0.5, 0.6, "sil")])),
}


@pytest.mark.parametrize("convention", CONVENTIONS)
def test_every_versions_silences_are_the_same(tmp_path: Path, convention: str) -> None:
    path = tmp_path / "a.TextGrid"
    path.write_text(CONVENTIONS[convention], encoding="utf-8")
    found = read_textgrid(path)
    assert [(w.start_s, w.end_s, w.label) for w in found.words] == WORDS
    expected = sorted([*PHONES, *[(*at, "") for at in QUIET]])
    assert [(p.start_s, p.end_s, p.label) for p in found.phones] == expected
    assert found.duration_s == 1.0


def test_words_that_are_called_like_a_silence(tmp_path: Path) -> None:
    path = tmp_path / "a.TextGrid"
    path.write_text(grid([(0.0, 0.2, "sil"), (0.2, 0.4, "pau"), (0.4, 1, "")], [(0.2, 0.3, "P"), (0.3, 0.4, "AW1")]))
    assert [word.label for word in read_textgrid(path).words] == ["pau"]


def test_spn_is_no_silence(tmp_path: Path) -> None:
    path = tmp_path / "a.TextGrid"
    path.write_text(grid([(0.0, 1.0, "<unk>")], [(0.0, 1.0, "spn")]), encoding="utf-8")
    found = read_textgrid(path)
    assert [phone.label for phone in found.spoken_phones()] == ["spn"]
    assert [word.label for word in found.words] == ["<unk>"]


labels = st.text(st.characters(codec="utf-8", exclude_characters="\r\n\x00", exclude_categories=("Cs",)), min_size=1)


@settings(max_examples=50, deadline=None)
@given(
    ends=st.lists(st.integers(1, 10**6), min_size=1, max_size=12, unique=True),
    names=st.lists(labels.map(str.strip).filter(bool), min_size=12, max_size=12),
)
def test_round_trip_is_exact(tmp_path_factory: pytest.TempPathFactory, ends: list[int], names: list[str]) -> None:
    times = [0.0, *(end / 100 for end in sorted(ends))]
    phones = tuple(
        Interval(a, b, f"x{name}") for a, b, name in zip(times[:-1], times[1:], names[: len(ends)], strict=True)
    )
    alignment = Alignment(phones[:1], phones, times[-1])
    path = tmp_path_factory.mktemp("tg") / "a.TextGrid"
    write_textgrid(path, alignment)
    assert read_textgrid(path) == alignment


@pytest.mark.parametrize(
    ("old", "new", "line_with", "why"),
    [
        ("xmax = 1.2\n", "xmax = 0.9\n", "IH1", "no length"),
        ("xmin = 1.2\n", "xmin = 1.1\n", '"T"', "before 1.2"),
        ("intervals: size = 4", "intervals: size = 9", "size = 9", "count 9"),
        ("intervals: size = 4", "intervals: size = -1", "size = -1", "count -1"),
        ("xmin = 1.2\n", 'xmin = "1.2"\n', 'xmin = "1.2"', "expected a number"),
        ('"TextTier"', '"PitchTier"', None, "PitchTier"),
        ('name = "phones"', 'name = "letters"', None, "'phones'"),
        ('"TextGrid"', '"Sound"', '"Sound"', "not a TextGrid"),
        ('xmax = 1.5\n            text = "T"', 'xmax = 1.6\n            text = "T"', None, "phones end at 1.600"),
    ],
)
def test_faults_are_named_with_their_line(tmp_path: Path, old: str, new: str, line_with: str | None, why: str) -> None:
    path = tmp_path / "a.TextGrid"
    assert old in LONG
    text = LONG.replace(old, new)
    path.write_text(text, encoding="utf-8")
    with pytest.raises(DataError) as caught:
        read_textgrid(path)
    assert why in str(caught.value)
    assert str(path) in str(caught.value)
    if line_with is not None:
        line = next(number for number, one in enumerate(text.splitlines(), start=1) if line_with in one)
        assert f"{path}:{line}:" in str(caught.value)


def test_missing_file_and_foreign_encoding(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="not found"):
        read_textgrid(tmp_path / "none.TextGrid")
    path = tmp_path / "latin.TextGrid"
    path.write_bytes(LONG.replace('"it"', '"\xe9t"').encode("latin-1"))
    line = LONG[: LONG.index('"it"')].count("\n") + 1
    with pytest.raises(DataError, match=f":{line}: TextGrid is not text"):
        read_textgrid(path)


@settings(max_examples=200, deadline=2000)
@given(cut=st.integers(0, len(LONG)), junk=st.binary(max_size=40))
def test_damaged_files_give_only_our_errors(tmp_path_factory: pytest.TempPathFactory, cut: int, junk: bytes) -> None:
    path = tmp_path_factory.mktemp("tg") / "a.TextGrid"
    raw = LONG.encode()
    path.write_bytes(raw[:cut] + junk + raw[cut + len(junk) :])
    # Any other error fails the test; what is read after all keeps its promises.
    with contextlib.suppress(SpeechkdError):
        assert list(read_textgrid(path).problems()) == []


@st.composite
def mutated(draw: st.DrawFn) -> str:
    """A TextGrid in which numbers, labels and structure have been exchanged."""
    values = re.findall(r'"[^"]*"|[^\s"]+', grid(WORDS, PHONES))
    for _ in range(draw(st.integers(1, 6))):
        place = draw(st.integers(0, len(values) - 1))
        strange = st.sampled_from(['""', '"', "-1", "1e999", "nan", "0", "1e-320", "<absent>", '"TextTier"', "9" * 30])
        values[place] = draw(strange | st.floats().map(repr) | st.sampled_from(values))
        if draw(st.booleans()):
            del values[draw(st.integers(0, len(values) - 1))]
    return " ".join(values)


@settings(max_examples=300, deadline=2000)
@given(text=mutated())
def test_mutated_files_give_only_our_errors(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    path = tmp_path_factory.getbasetemp() / "mutated.TextGrid"
    path.write_text(text, encoding="utf-8")
    with contextlib.suppress(SpeechkdError):
        found = read_textgrid(path)
        assert list(found.problems()) == []
        assert all(left.label or right.label for left, right in pairwise(found.phones))
