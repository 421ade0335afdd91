"""Slices shorter than a transform of the teacher's terms, or nothing to learn at step 1, failed in training."""

from __future__ import annotations

from typing import Any

import pytest

from recipes.vocoder.istft.config import IstftRecipe

BASE = {"recipe": "vocoder/istft", "run": {"dir": "run"}, "corpora": [{"name": "mini"}], "train": {"max_steps": 500}}
QUIET = {"mel": 0, "stft": 0}


@pytest.mark.parametrize(
    ("sections", "path"),
    [
        ({"distill": {"stft": 1}, "slices": {"frames": 4}}, "slices.frames"),
        ({"losses": {"stft": 1, "resolutions": [{"fft": 4096, "hop": 256, "window": 1024}]},
          "slices": {"frames": 8}}, "slices.frames"),
        ({"losses": QUIET, "adversarial": {"start_step": 100}}, "losses"),
    ],
)  # fmt: skip
def test_they_are_refused_before_anything_runs(sections: dict[str, Any], path: str) -> None:
    assert path in dict(IstftRecipe.model_validate(BASE | sections).problems())


def test_a_teacher_alone_is_enough() -> None:
    cfg = IstftRecipe.model_validate(BASE | {"losses": QUIET, "distill": {"stft": 1}, "adversarial": {"weight": 0}})
    assert "losses" not in dict(cfg.problems())
