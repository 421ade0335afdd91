"""The page of a report: hostile names stay text, nothing comes from outside, everything is on it."""

from __future__ import annotations

import base64
import hashlib
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from recipes.tts.common.corpora import read_ljspeech
from speechkd.data.corpus import Problem, Severity
from speechkd.data.report import Report
from speechkd.data.report_html import MAX_ROWS, report_page, write_html
from speechkd.data.validate import validate_corpus

HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>&lt;\u202egnp.exe\x00\x1b[31m"


class Page(HTMLParser):
    """Tags with their attributes, and the text of each cell."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.cells: list[str] = []
        self.open = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self.open = self.open or tag == "td"
        if tag == "td":
            self.cells.append("")

    def handle_endtag(self, tag: str) -> None:
        self.open = self.open and tag != "td"

    def handle_data(self, data: str) -> None:
        if self.open:
            self.cells[-1] += data


def hostile_report() -> Report:
    problem = Problem(Severity.ERROR, "missing_recording", HOSTILE, HOSTILE, HOSTILE, HOSTILE)
    return Report(Path(f"/tmp/{HOSTILE.replace('/', '')}"), (problem,), {})


def test_hostile_texts_stay_texts() -> None:
    page = Page(report_page(hostile_report()))
    assert [tag for tag, _ in page.tags if tag == "script"] == ["script"]
    assert "img" not in [tag for tag, _ in page.tags]
    assert not [name for _, attributes in page.tags for name in attributes if name.startswith("on")]
    shown = HOSTILE.replace("\u202e", "\\u202e").replace("\x00", "\\x00").replace("\x1b", "\\x1b")
    assert page.cells.count(shown) == 3  # id, where, what


def test_nothing_from_outside_and_only_its_own_script() -> None:
    text = report_page(hostile_report())
    page = Page(text)
    addresses = [
        v for _, attributes in page.tags for name, v in attributes.items() if name in ("src", "href", "action")
    ]
    assert all(address and address.startswith("#") for address in addresses)
    policy = next(a["content"] for tag, a in page.tags if tag == "meta" and "http-equiv" in a) or ""
    script = re.search(r"<script>(.*?)</script>", text.split("<tbody>")[-1], re.S)
    assert script is not None
    digest = base64.b64encode(hashlib.sha256(script.group(1).encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in policy and "default-src 'none'" in policy


def test_everything_is_on_it(make_corpus: Any, tmp_path: Path) -> None:
    folder = make_corpus(30)
    (folder / "wavs" / "u002.wav").write_bytes(b"")
    with (folder / "metadata.csv").open("a", encoding="utf-8") as file:
        file.write("lost|oak tree\n")
    report = validate_corpus(read_ljspeech(folder))
    for name in ("a", "b"):
        write_html(report, tmp_path / f"{name}.html")
    text = (tmp_path / "a.html").read_text(encoding="utf-8")
    assert text == (tmp_path / "b.html").read_text(encoding="utf-8") and str(tmp_path) not in text
    page = Page(text)
    for cell in (
        "empty_file",
        "missing_recording",
        "u002",
        "lost",
        "wavs/u002.wav",
        "metadata.csv:31:1",
        "has 0 bytes",
    ):
        assert cell in page.cells
    assert [tag for tag, _ in page.tags].count("svg") == 3 and "30 usable" not in text
    bars = [attributes for tag, attributes in page.tags if tag == "rect"]
    assert bars and all(float(bar["height"] or 0) > 0 for bar in bars)
    assert "Duration" in text and "Speaking rate" in text and "Speech level" in text


def test_nothing_wrong_and_far_too_much() -> None:
    assert "None." in report_page(Report(Path("corpus"), (), {}))
    many = tuple(Problem(Severity.INFO, "same_text", f"u{i}", "m:1", "x") for i in range(MAX_ROWS + 5))
    page = report_page(Report(Path("corpus"), many, {}))
    assert page.count('<tr><td class="info">info</td><td>same_text</td>') == MAX_ROWS
    assert f"The first {MAX_ROWS:,} of {MAX_ROWS + 5:,}" in page
