"""A table of SSML documents and what must become of them; and what must hold of any document."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from speechkd.errors import DataError, NothingToSpeak, UsageError
from speechkd.text import EnglishFrontend
from speechkd.text.script import Line, lines_of_ssml

FRONTEND = EnglishFrontend()
ROWS = (Path(__file__).parent / "ssml_cases.jsonl").read_text(encoding="utf-8").splitlines()
CASES = [json.loads(row) for row in ROWS]
SPOKEN, WRONG, HOSTILE = ([case for case in CASES if name in case] for name in ("lines", "error", "hostile"))


def document_of(case: dict[str, Any]) -> Any:
    """The document of a case: as it stands, or made of parts, of which some are repeated."""
    if "bytes" in case:
        return case["bytes"].encode()
    if not isinstance(case["ssml"], list):
        return case["ssml"]
    return "".join(part if isinstance(part, str) else part[0] * part[1] for part in case["ssml"])


def seen(line: Line) -> dict[str, Any]:
    """A line as the table writes it, without what is left out there."""
    how = {
        str(place): [each.rate, each.pitch, each.volume]
        for place, each in enumerate(line.prosody)
        if (each.rate, each.pitch, each.volume) != (1, 0, 1)
    }
    written = {
        "how": how, "pause_s": line.pause_s, "exact": line.exact_pause, "marks": [list(mark) for mark in line.marks],
        "voice": line.voice, "speaker": line.speaker, "before_s": line.before_s,
    }  # fmt: skip
    return {"words": " ".join(word.text for word in line.tokens.words)} | {k: v for k, v in written.items() if v}


def close(expected: Any, value: Any) -> bool:
    """Whether two structures are the same but for roundings."""
    if isinstance(expected, dict):
        return expected.keys() == value.keys() and all(close(expected[key], value[key]) for key in expected)
    if isinstance(expected, list):
        return len(expected) == len(value) and all(map(close, expected, value))
    return value == (pytest.approx(expected, abs=1e-4) if isinstance(expected, float | int) else expected)


@pytest.mark.parametrize("case", SPOKEN, ids=lambda case: case["id"])
def test_what_is_said(case: dict[str, Any]) -> None:
    lines = list(lines_of_ssml(document_of(case), FRONTEND))
    assert len(lines) == len(case["lines"]), [seen(line) for line in lines]
    for line, expected in zip(lines, case["lines"], strict=True):
        plain = {k: v for k, v in expected.items() if v and k not in ("ends", "phones")}
        assert close(plain, seen(line)), seen(line)
        assert line.tokens.symbols[-1] == expected.get("ends", ".")
        assert not line.prosody or len(line.prosody) == len(line.tokens.words)
        if "phones" in expected:
            assert " ".join(phone for word in line.tokens.words for phone in word.phones) == expected["phones"]


@pytest.mark.parametrize("case", WRONG, ids=lambda case: case["id"])
def test_mistakes_are_told_with_their_place(case: dict[str, Any]) -> None:
    start = time.process_time()
    with pytest.raises(DataError) as caught:
        lines_of_ssml(document_of(case), FRONTEND)
    assert time.process_time() - start < 5.0
    line, column = case["error"].split(":")
    assert caught.value.where == f"line {line}, column {column}"
    assert case["says"] in str(caught.value)
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize("case", [case for case in CASES if "usage" in case], ids=lambda case: case["id"])
def test_only_text_is_a_document(case: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=case["usage"]):
        lines_of_ssml(document_of(case), FRONTEND)


@pytest.mark.parametrize("case", [case for case in CASES if "nothing" in case], ids=lambda case: case["id"])
def test_a_document_without_words(case: dict[str, Any]) -> None:
    with pytest.raises(NothingToSpeak):
        list(lines_of_ssml(document_of(case), FRONTEND))


def test_the_table_is_wide() -> None:
    assert len(CASES) >= 200 and len({case["id"] for case in CASES}) == len(CASES)
    assert len(SPOKEN) >= 90 and len(WRONG) >= 90 and len(HOSTILE) >= 20
    assert all(sum(key in case for key in ("lines", "error", "usage", "nothing")) == 1 for case in CASES)
