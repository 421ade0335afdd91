"""A guide or a window without layers divided by zero; speech that decides and is not made was noticed too late."""

from __future__ import annotations

from typing import Any

import pytest

from recipes.tts.transformer.config import TransformerSections, choice_problems, guide_problems
from speechkd.models.tts.transformer_config import TransformerNetwork

TRAIN = {"max_steps": 1000}


@pytest.mark.parametrize(
    ("sections", "path"),
    [
        ({"guide": {"weight": 0.1, "layers": []}}, "guide.layers"),
        ({"model": {"window": {"layers": []}}}, "window.layers"),
        ({"train": TRAIN | {"best_by": "misfit"}, "check": {"spoken": 0}}, "train.best_by"),
        ({"train": TRAIN | {"best_by": "free_mel"}, "check": {"spoken": 0}}, "train.best_by"),
    ],
)
def test_they_are_refused_before_anything_runs(sections: dict[str, Any], path: str) -> None:
    cfg = TransformerSections.model_validate({"train": TRAIN} | sections)
    found = dict(cfg.problems()) | dict(cfg.model.problems())
    assert path in found


def test_what_does_something_is_taken() -> None:
    cfg = TransformerSections.model_validate({"train": TRAIN, "guide": {"layers": []}, "check": {"spoken": 0}})
    assert not list(guide_problems(cfg.model, cfg.guide)) and not list(choice_problems(cfg.train, cfg.check))
    assert not list(TransformerNetwork.model_validate({"window": {"layers": [-1]}}).problems())
