"""The systems that these claims are about, as far as their runs are finished."""

from __future__ import annotations

from typing import Any

from recipes.tts.claims.names import SYSTEMS
from recipes.tts.common.claims.systems import TEACHER, System, write_survey
from recipes.tts.common.claims.systems import finished as finished_of
from speechkd.runner import Context


def finished(section: Any) -> dict[str, System]:
    """The systems that have a model, by name. `section`: the config's folders."""
    found = finished_of(section, SYSTEMS)
    # A student's run that trained its own teacher is a run of the teacher as well.
    student = section.fastspeech
    if "teacher" not in found and student is not None and (student / TEACHER / "model.json").is_file():
        found["teacher"] = System("teacher", student, TEACHER)
    return {name: found[name] for name in SYSTEMS if name in found}


def run(cfg: Any, ctx: Context) -> None:
    """Write `systems`: systems.json, what each system has, by the digest of the bytes."""
    write_survey(finished(cfg.systems), cfg.systems, SYSTEMS, ctx)
