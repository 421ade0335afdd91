"""How long trainings took: teacher, its targets and FastSpeech beside FastSpeech 2 (FastSpeech 2, table 3)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from recipes.tts.claims.steps import step_seconds
from recipes.tts.claims.systems import finished
from recipes.tts.common.claims.systems import System, write_json
from speechkd.runner import Context
from speechkd.runner.records import RunFolder

#: Whose steps are timed side by side: runs at other times were beside other work.
TIMED = ("teacher", "fastspeech", "fastspeech2")


def run(cfg: Any, ctx: Context) -> None:
    """Write `training`: training.json with the seconds of each part, of a step, and the curves of validation loss."""
    there = finished(cfg.systems)
    found = {name: curve(system) for name, system in there.items()}
    steps_s = step_seconds({name: there[name] for name in TIMED if name in there}, cfg.training, ctx)
    trained = {name: seconds * found[name]["steps"] for name, seconds in steps_s.items()}
    content = {"systems": found, "parts": recorded(there) | trained, "steps_s": steps_s}
    write_json(ctx.output("training") / "training.json", content)


def recorded(there: Mapping[str, System]) -> dict[str, float]:
    """Seconds of the stages that stand between features and a finished model, as far as they are recorded."""
    found: dict[str, float | None] = {}
    if teacher := there.get("teacher"):
        found["teacher"] = teacher.seconds("train" if teacher.model_artifact == "model" else "teach")
    if student := there.get("fastspeech"):
        found |= {"targets": student.seconds("targets"), "fastspeech": student.seconds("train")}
    if second := there.get("fastspeech2"):
        found["fastspeech2"] = second.seconds("train")
    return {name: seconds for name, seconds in found.items() if seconds is not None}


def curve(system: System) -> dict[str, Any]:
    """Validation loss of the mel by step. `unit` says what it is: l1 or mse, beside recordings or other targets."""
    history = system.history()
    valid = [row for row in history if row["kind"] == "valid"]
    # Beside recordings, where a model learns from something else.
    key = "recording_mel" if any("recording_mel" in row for row in valid) else "mel"
    points = [[row["step"], row[key]] for row in valid if key in row]
    return {"points": points, "steps": max(row["step"] for row in history), "unit": unit(system), "key": key}


def unit(system: System) -> str:
    """The distance that a system's mel loss measures, as its run was told."""
    record = RunFolder(system.folder).read_record("train")
    told = {} if record is None else record.plan.slice
    return str(told.get("loss.mel", "l1"))
