"""The crowd for the server: its table, and a short run."""

from __future__ import annotations

import dataclasses
from collections import Counter

import pytest

from tools import load_server
from tools.load_server import Figures, percentile, table

GOOD = Figures(Counter({"200": 3, "503": 9, "gone": 1}), 12.0, 0.2, [0.01] * 99 + [0.5], (200.0, 210.0), 2.0, 0)


def test_the_table_says_what_was_missed() -> None:
    shown, reached = table(GOOD)
    assert not reached and "500.0 ms" in shown  # one ping in a hundred took half a second
    fine = dataclasses.replace(GOOD, health_s=[0.01] * 100)
    shown, reached = table(fine)
    assert reached and "missed" not in shown and "6.0 s" in shown
    for change in (
        {"answers": Counter({"200": 1, "lost": 1})},
        {"answers": Counter({"500": 1})},
        {"rss_mb": (200.0, 251.0)},
        {"speech_s": 0.0},
        {"exit_code": -15},
        {"health_s": [float("inf")] * 100},
    ):
        shown, reached = table(dataclasses.replace(fine, **change))
        assert not reached and shown.count("missed") == 1


def test_percentiles() -> None:
    assert [percentile([3.0, 1.0, 2.0, 4.0], share) for share in (0.0, 0.5, 0.99)] == [1.0, 3.0, 4.0]


def test_a_short_crowd(capsys: pytest.CaptureFixture[str]) -> None:
    load_server.main(["--clients", "4", "--seconds", "1", "--", "--queue", "1"])
    shown = capsys.readouterr().out
    failed = next(line for line in shown.splitlines() if line.startswith("failed"))
    assert failed.endswith("reached") and "200: " in shown and "exit code after SIGTERM" in shown


def test_it_is_bounded() -> None:
    for wrong in (["--clients", "1001"], ["--seconds", "3601"], ["--seconds", "0"]):
        with pytest.raises(SystemExit):
            load_server.main(wrong)
    assert load_server.HOST == "127.0.0.1"
