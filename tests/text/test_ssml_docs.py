"""What docs/ssml.md promises holds: each example is said as it says, each error reads as it says."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

import pytest

from speechkd.errors import DataError
from speechkd.text import EnglishFrontend
from speechkd.text.line import PARAGRAPH_PAUSE_S, SENTENCE_PAUSE_S
from speechkd.text.script import lines_of_ssml
from speechkd.text.ssml import values
from speechkd.text.ssml.blocks import ALPHABETS, LONGEST_SILENCE_S
from speechkd.text.ssml.elements import ELEMENTS
from speechkd.text.ssml.parse import MAX_DEPTH, MAX_ELEMENTS
from speechkd.text.ssml.say_as import DATE_FORMATS, KINDS, TIME_FORMATS

FRONTEND = EnglishFrontend()
PAGE = (Path(__file__).parents[2] / "docs" / "ssml.md").read_text(encoding="utf-8")


def rows(heading: str) -> list[list[str]]:
    """The cells of the first table behind a heading, without its head."""
    lines = PAGE.split(f"## {heading}\n")[1].split("\n## ")[0].splitlines()
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines if line.startswith("| ")][1:]


@pytest.mark.parametrize(("example", "said"), [row[1:] for row in rows("Elements")])
def test_examples(example: str, said: str) -> None:
    lines = lines_of_ssml(f"<speak>{example.strip('`')}</speak>", FRONTEND)
    assert " / ".join(" ".join(word.text for word in line.tokens.words) for line in lines) == said


@pytest.mark.parametrize(("document", "error"), rows("Errors"))
def test_errors(document: str, error: str) -> None:
    with pytest.raises(DataError) as caught:
        lines_of_ssml(document.strip("`"), FRONTEND)
    assert str(caught.value).startswith(error)


def test_the_first_document() -> None:
    document = PAGE.split("```xml\n")[1].split("```")[0]
    lines = list(lines_of_ssml(document, FRONTEND))
    assert [" ".join(word.text for word in line.tokens.words) for line in lines] == [
        "good morning", "it is nine oh five AM", "the world wide web consortium says tomato", "good night",
    ]  # fmt: skip
    assert [line.pause_s for line in lines] == [0.3, 0.5, 0.15, 0.0]


ATTRIBUTES = {row[0]: row[1] + " " + row[2] for row in rows("Attributes")}


def test_all_elements_are_named() -> None:
    elements = " ".join(row[0] for row in rows("Elements"))
    assert all(re.search(rf"`{re.escape(name)}\b", elements) for name in ELEMENTS if name != "speak")
    assert all(kind in elements for kind in KINDS)


@pytest.mark.parametrize(
    ("attribute", "names"),
    [("`prosody rate`, or `speed`", values.RATES), ("`prosody pitch`", values.PITCHES),
     ("`prosody volume`", values.VOLUMES), ("`break strength`", values.STRENGTHS)],
)  # fmt: skip
def test_named_values_are_those_of_the_page(attribute: str, names: dict[str, float]) -> None:
    listed = dict(re.findall(r"`([a-z-]+)` (-?[\d.]+)", ATTRIBUTES[attribute]))
    assert {name: float(value) for name, value in listed.items()} == {k: v for k, v in names.items() if k != "default"}


@pytest.mark.parametrize(
    ("attribute", "names"),
    [("`emphasis level`", values.EMPHASIS), ("`say-as format`, of a date", DATE_FORMATS),
     ("`say-as format`, of a time", TIME_FORMATS), ("`phoneme alphabet`", ALPHABETS)],
)  # fmt: skip
def test_names_are_those_of_the_page(attribute: str, names: Iterable[str]) -> None:
    assert set(re.findall(r"`([^`]+)`", ATTRIBUTES[attribute])) - {"yyyy-mm-dd"} == set(names)


def test_numbers_are_those_of_the_page() -> None:
    for (low, high), row in zip(values.RANGES.values(), rows("Attributes"), strict=False):
        assert f"{low:g} to {high:g}" in row[2]
    for level in ("strong", "moderate", "reduced"):
        how = values.EMPHASIS[level]
        short = f"`{level}` {how.rate:g}, {how.pitch:+g}, {how.volume:g}"
        full = f"`{level}` emphasis is rate {how.rate:g}, pitch {how.pitch:+g} semitones, volume {how.volume:g}"
        assert (short in PAGE) is not (full in PAGE)
    assert f"go {MAX_DEPTH} deep" in PAGE and f"{MAX_ELEMENTS:,} of them" in PAGE
    assert f"0 to {values.LONGEST_BREAK_S:g} s, together {LONGEST_SILENCE_S:g} s" in PAGE
    assert f"{SENTENCE_PAUSE_S:g} s of silence, behind a paragraph {PARAGRAPH_PAUSE_S:g} s" in PAGE
