"""The systems that these claims are about, as far as their runs are finished."""

from __future__ import annotations

from typing import Any

from recipes.tts.common.claims.systems import System, write_survey
from recipes.tts.common.claims.systems import finished as finished_of
from recipes.tts.prodiff_claims.names import SYSTEMS
from speechkd.runner import Context


def finished(section: Any, *names: str) -> dict[str, System]:
    """Those of these systems that have a model, all unless some are named. `section`: the config's folders."""
    return finished_of(section, names or SYSTEMS)


def run(cfg: Any, ctx: Context) -> None:
    """Write `systems`: systems.json, what each system has, by the digest of the bytes."""
    write_survey(finished(cfg.systems), cfg.systems, SYSTEMS, ctx)
