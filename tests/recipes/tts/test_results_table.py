"""RESULTS.md: a run's section is replaced in its place, everything else stays."""

from __future__ import annotations

import re
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

from recipes.tts.common.options import ScoreSection
from recipes.tts.common.report import _utterance
from recipes.tts.common.results import METRICS, NAMES
from recipes.tts.common.score import listened_to, summarise
from recipes.tts.common.table import Section, update_table


def section(label: str, value: str = "1.0") -> Section:
    return Section(label, ["system", "MCD"], [["all", value], ["copy", "0.5"]], [("seed", "1234"), ("data", "5 min")])


def parse(text: str) -> dict[str, list[list[str]]]:
    """The tables of a Markdown file by heading, by a reader that knows nothing of the writer."""
    tables: dict[str, list[list[str]]] = {}
    rows: list[list[str]] = []  # of the overview, which has no heading
    for line in text.splitlines():
        if line.startswith("## "):
            rows = tables[line[3:]] = []
        elif line.startswith("|") and not re.fullmatch(r"[|\s:-]+", line):
            rows.append([cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]])
    return tables


def test_a_section_is_a_heading_a_table_and_facts() -> None:
    text = update_table("", "Results: toy", section("small"))
    assert text.startswith("# Results: toy\n")
    assert parse(text) == {"small": [["system", "MCD"], ["all", "1.0"], ["copy", "0.5"]]}
    assert "- seed: 1234\n- data: 5 min\n" in text and text.endswith("\n")


def test_repeating_a_run_changes_nothing() -> None:
    once = update_table("", "t", section("small"))
    assert update_table(once, "t", section("small")) == once


def test_a_run_is_replaced_in_its_place_and_the_others_stay() -> None:
    text = ""
    for label in ("small", "paper", "tiny"):
        text = update_table(text, "t", section(label))
    changed = update_table(text, "t", section("paper", "9.9"))
    assert list(parse(changed)) == ["small", "paper", "tiny"]
    assert parse(changed)["paper"][1] == ["all", "9.9"]
    assert changed == text.replace(section("paper").to_markdown(), section("paper", "9.9").to_markdown())
    assert changed.count("## ") == 3


def test_labels_that_begin_alike_are_different_runs() -> None:
    text = update_table(update_table("", "t", section("small")), "t", section("small 2"))
    assert list(parse(text)) == ["small", "small 2"]


def test_a_bar_in_a_cell_does_not_split_it() -> None:
    text = update_table("", "t", Section("a", ["x", "y"], [["this | that", "1"]], []))
    assert parse(text)["a"][1] == ["this \\| that", "1"]


def test_the_overview_has_a_row_of_every_run_that_has_it() -> None:
    text = ""
    for label, value in (("small", "1.0"), ("paper", "2.0"), ("small", "1.5")):
        text = update_table(text, "t", section(label, value), "all")
    text = update_table(
        text, "t", Section("a|b", ["system", "WER"], [["all", "7 | 8"], ["copy", "0"]], [("seed", "1")]), "all"
    )
    text = update_table(text, "t", Section("other", ["system", "WER"], [["copy", "3"]], [("seed", "1")]), "all")
    above = [line for line in text.split("## ")[0].splitlines() if line.startswith("|")]
    assert above == [
        "| all runs: all | MCD | WER |", "| --- | --- | --- |",
        "| small | 1.5 |  |", "| paper | 2.0 |  |", "| a\\|b |  | 7 \\| 8 |",
    ]  # fmt: skip
    assert list(parse(text)) == ["small", "paper", "a|b", "other"]
    assert update_table(text, "t", section("paper", "2.0"), "all") == text


def row(mcd: float, cents: float | None, heard: str | None = None) -> dict[str, Any]:
    figures = {"mcd_dtw_db": mcd, "f0_rmse_cents": cents}
    made: dict[str, Any] = {system: dict(figures) for system in ("copy", "true_durations", "predicted")}
    made["text"] = "one two"
    if heard is not None:
        made["heard"] = dict.fromkeys(("recording", "copy", "true_durations", "predicted"), heard)
    return made


def test_scores_are_means_of_what_was_measured() -> None:
    summary = summarise([row(4.0, 100.0), row(6.0, None)])
    assert summary["utterances"] == 2
    assert summary["predicted"] == {"mcd_dtw_db": 5.0, "f0_rmse_cents": 100.0}
    assert summarise([row(4.0, None)])["predicted"]["f0_rmse_cents"] is None


def test_word_errors_are_pooled() -> None:
    summary = summarise([row(1, 1, "one two"), row(1, 1, "won")])
    assert summary["predicted"]["word_error_rate"] == pytest.approx(2 / 4)
    assert summary["recording"] == {"word_error_rate": pytest.approx(2 / 4)}


def test_word_errors_of_what_was_listened_to() -> None:
    rows = [row(1, 1, "one two"), row(1, 1, "won")]
    for each in rows:
        each["heard"] = {"predicted": each["heard"]["predicted"]}
    summary = summarise(rows)
    assert summary["predicted"]["word_error_rate"] == pytest.approx(2 / 4)
    assert "recording" not in summary and "word_error_rate" not in summary["copy"]


@pytest.mark.parametrize(
    ("options", "heard"),
    [
        ({}, ["recording", "copy", "predicted"]),
        ({"listen_to": "predicted"}, ["predicted"]),
        ({"recogniser": False, "listen_to": "predicted"}, []),
    ],
)
def test_who_is_listened_to(options: dict[str, Any], heard: list[str], tmp_path: Path) -> None:
    for system in ("recording", "copy", "predicted"):
        (tmp_path / system).mkdir()
    assert listened_to(ScoreSection.model_validate(options), tmp_path) == heard


def test_every_column_has_its_own_name_and_unit() -> None:
    titles = [title for _, title, _ in METRICS]
    assert len(set(titles)) == len(titles)
    assert [form.format(0.1234) for key, _, form in METRICS if key == "word_error_rate"] == ["12.3%"]


def test_links_lead_to_files_whatever_their_names() -> None:
    """A reader of the page undoes HTML's escapes, then those of addresses, and must come to the file's own name."""
    for id_ in ("plain-1", "take #2", "50%25?", "a&b<c>'d\""):
        scores = {"predicted": {"mcd_dtw_db": 5.0}}
        page = _utterance(id_, "<b>", scores, "../samples", pictured=True)
        found = {urlsplit(unescape(each)).path for each in re.findall(r'src="([^"]*)"', page)}
        files = {f"../samples/recording/{id_}.wav", f"../samples/predicted/{id_}.wav", f"pictures/{id_}.png"}
        assert {unquote(each) for each in found} == files
        assert "&lt;b&gt;" in page and "<c>" not in page


def test_true_durations_promise_no_variances_that_a_kind_lacks() -> None:
    assert NAMES["true_durations"] == "true durations, the rest predicted"
