"""Error rates of finished readings."""

from __future__ import annotations

from typing import Any

import pytest

from recipes.lipreading.pcpg.evaluate import add_nearest, scores_of


def row(text: str, greedy: str, forced: str, ended: bool = True) -> dict[str, Any]:
    return {"text": text, "greedy": greedy, "beam": text, "forced": forced, "ended": ended}


def test_scores_in_both_definitions_with_the_gauge_of_exposure_bias() -> None:
    rows = [row("bin blue", "bin blu", "bin blue"), row("at", "xx", "ax", ended=False)]
    found = scores_of(rows)
    greedy = found["systems"]["greedy"]
    assert (greedy["cer"], greedy["cer_mean"]) == (pytest.approx(3 / 10), pytest.approx((1 / 8 + 1) / 2))
    assert (greedy["wer"], greedy["wer_mean"]) == (pytest.approx(2 / 3), pytest.approx(0.75))
    assert found["systems"]["beam"] == {"cer": 0.0, "cer_mean": 0.0, "wer": 0.0, "wer_mean": 0.0, "right": 1.0}
    assert found["bias"] == pytest.approx(3 / 10 - 1 / 10)
    assert (found["length"], found["ended"], found["clips"]) == (pytest.approx(9 / 10), 0.5, 2)


def test_the_nearest_word_is_a_way_of_reading_of_its_own() -> None:
    rows = {"a": {**row("about", "abot", "about"), "beam": "abut"}, "b": {**row("white", "x", "x"), "beam": "wite"}}
    add_nearest(rows, ["about", "white", "would"])
    assert [rows[id_]["nearest"] for id_ in "ab"] == ["about", "white"]
    found = scores_of(list(rows.values()))["systems"]
    assert found["nearest"]["right"] == 1.0 and found["beam"]["right"] == 0.0
