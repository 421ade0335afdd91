"""Steps of a run whose learning rate warms up for longer than the timed steps take could not be timed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from recipes.tts.claims.names import SYSTEMS
from recipes.tts.claims.steps import shortened
from speechkd.cli.recipes import load

ROOT = Path(__file__).resolve().parents[2]
CLAIMED = sorted(ROOT.glob("egs/*/tts1/conf/claims.yaml"))


@pytest.mark.parametrize("path", CLAIMED, ids=lambda path: path.parents[2].name)
def test_every_system_of_the_shipped_claims_can_be_timed(path: Path, tmp_path: Path) -> None:
    _, claims = load(path, [])
    folders = {getattr(claims.systems, name) for name in SYSTEMS} - {None}
    confs = {folder.relative_to(ROOT / "exp" / path.parents[2].name) for folder in folders}
    assert confs
    for conf in confs:
        cfg: Any
        _, cfg = load(path.parent / f"{conf}.yaml", shortened(3, 1, tmp_path, ROOT))
        assert cfg.train.max_steps == 3 and cfg.train.schedule.warmup_steps == 1
