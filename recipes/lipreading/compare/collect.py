"""What the finished runs read and how they were trained: one file, after a look at whether they may be compared."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from recipes.lipreading.pcpg.config import PcpgRecipe
from recipes.lipreading.pcpg.evaluate import SCORES, read_sentences
from recipes.lipreading.pcpg.results import history_of
from speechkd.config import jsonable, load_config
from speechkd.errors import ConfigError, StageError
from speechkd.runner import Context
from speechkd.runner.digests import artifact_digest, hash_files

COLLECTED = "runs.json"
# What must be equal in all arms: everything that is learnt with but the objective. Of `train`, all but the seed.
EQUAL = ("split", "video", "model", "augment", "curriculum", "loss", "train", "decode", "init")


def run(cfg: Any, ctx: Context) -> None:
    """Write `collected`: runs.json."""
    start = _weights_digest(cfg.start / "model")
    found = [collected(each.arm, each.path, start) for each in cfg.runs]
    refuse_unequal(found)
    (ctx.output("collected") / COLLECTED).write_text(json.dumps(found, sort_keys=True), encoding="utf-8")


def collected(arm: str, folder: Path, start: str) -> dict[str, Any]:
    """A run's sentences, scores and validations, and the settings that must be equal. StageError if it is not finished
    or continued from another start.
    """
    try:
        settings = jsonable(load_config(folder / "config.yaml", PcpgRecipe))
        sentences = read_sentences(folder / "decoded")
        scores = json.loads((folder / "decoded" / SCORES).read_text(encoding="utf-8"))
        history = history_of(folder / "model")
    except (OSError, ValueError, ConfigError) as error:
        raise StageError(
            f"the arm {arm} has a run that is not finished", where=str(folder), why=str(error), todo="Run it to its end"
        ) from error
    if settings["init"] is None or _weights_digest(Path(settings["init"]["path"])) != start:
        raise StageError(f"a run of the arm {arm} continued from another model than `start`", where=str(folder))
    seed = settings["train"].pop("seed")
    settings["init"].pop("path")
    return {
        "arm": arm,
        "seed": seed,
        "equal": {name: settings[name] for name in EQUAL},
        "sentences": sentences,
        "scores": scores,
        "steps": history[-1]["step"],
        "validations": [row for row in history if row["kind"] == "valid"],
    }


def _weights_digest(model: Path) -> str:
    return artifact_digest(hash_files(model))


def refuse_unequal(found: Sequence[Mapping[str, Any]]) -> None:
    """StageError unless all runs differ in objective and seed alone, and read the same clips."""
    first = found[0]
    for other in found[1:]:
        if why := difference(first, other):
            raise StageError(f"the arms {first['arm']} and {other['arm']} cannot be compared", why=why)
    keys = [(each["arm"], each["seed"]) for each in found]
    if len(set(keys)) != len(keys):
        raise StageError("two runs of an arm have the same seed", why=str(max(keys, key=keys.count)))


def difference(first: Mapping[str, Any], other: Mapping[str, Any]) -> str:
    """Why two runs cannot be compared; empty if they can."""
    if differing := [name for name in EQUAL if first["equal"][name] != other["equal"][name]]:
        return f"they differ in more than the objective: {', '.join(differing)}"
    if first["steps"] != other["steps"]:
        return f"they took {first['steps']} and {other['steps']} steps"
    clips = [[(row["id"], row["text"]) for row in each["sentences"]] for each in (first, other)]
    return "" if clips[0] == clips[1] else "they read other clips"
