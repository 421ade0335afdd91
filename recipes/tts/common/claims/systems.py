"""Finished runs of the systems that claims are about: which there are, and how to read them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from recipes.tts.common.manifest import Manifest
from speechkd.runner import Context, ItemStore
from speechkd.runner.digests import artifact_digest, hash_files
from speechkd.runner.records import RunFolder
from speechkd.text import SymbolTable, Tokens

MODEL, TEACHER = "model", "teacher"
# What claims are measured on; other artifacts of a run may change without any measurement being stale.
ARTIFACTS = (MODEL, TEACHER, "manifest", "spoken", "features", "alignment", "targets", "forced", "samples", "scores")


@dataclass(frozen=True)
class System:
    """A finished run. `model_artifact`: the one that holds the model; the teacher may lie in its student's run."""

    name: str
    folder: Path
    model_artifact: str = MODEL

    def artifact(self, name: str) -> Path:
        """The folder of an artifact, which need not be there."""
        return self.folder / name

    def has(self, *artifacts: str) -> bool:
        """Whether all these artifacts are there."""
        return all(self.artifact(each).is_dir() for each in artifacts)

    def model(self) -> Any:
        """Its acoustic model in evaluation mode, loaded once per process."""
        folder = self.artifact(self.model_artifact)
        return _model(folder, (folder / "model.safetensors").stat().st_mtime_ns)

    def history(self) -> list[dict[str, Any]]:
        """The rows of its training."""
        lines = (self.artifact(self.model_artifact) / "history.jsonl").read_text(encoding="utf-8").splitlines()
        return [json.loads(line) for line in lines]

    def seconds(self, stage: str) -> float | None:
        """How long a stage took; None without a record of it."""
        record = RunFolder(self.folder).read_record(stage)
        return None if record is None else record.seconds

    def store(self, artifact: str) -> ItemStore:
        """An artifact as an item store."""
        return ItemStore(self.artifact(artifact))

    def ids(self, split: str, *, within: str = "features", limit: int = 0) -> list[str]:
        """The ids of a split that an artifact holds, in order; at most `limit` of them, evenly spread."""
        known = set(self.store(within).ids)
        return spread([id_ for id_ in Manifest.read(self.artifact("manifest")).splits[split] if id_ in known], limit)

    def tokens(self, id_: str) -> Tokens:
        """An utterance's tokens as said."""
        return Tokens.from_json(self.spoken.meta(id_))

    @cached_property
    def spoken(self) -> ItemStore:
        """The tokens of all utterances."""
        return self.store("spoken")

    @cached_property
    def symbols(self) -> SymbolTable:
        """What the model's token numbers mean."""
        return SymbolTable.from_json(json.loads((self.artifact("spoken") / "symbols.json").read_text(encoding="utf-8")))

    def encoded(self, tokens: Tokens) -> npt.NDArray[np.int64]:
        """The numbers of an utterance's symbols: (T,)."""
        return np.asarray(self.symbols.encode(tokens.symbols), dtype=np.int64)


@lru_cache(maxsize=16)
def _model(folder: Path, mtime_ns: int) -> Any:
    from speechkd.models.tts.load import load_model

    return load_model(folder)


def finished(section: Any, names: Sequence[str]) -> dict[str, System]:
    """Those of these systems that have a model, in this order. `section`: the config's folders."""
    folders = {name: getattr(section, name) for name in names}
    there = {name: folder for name, folder in folders.items() if folder and (folder / MODEL / "model.json").is_file()}
    return {name: System(name, folder) for name, folder in there.items()}


def spread(items: Sequence[str], limit: int) -> list[str]:
    """At most `limit` items, evenly spaced; all of them if it is 0."""
    if not limit or len(items) <= limit:
        return list(items)
    return [items[place] for place in np.unique(np.linspace(0, len(items) - 1, limit).astype(int))]


def write_survey(there: Mapping[str, System], section: Any, names: Sequence[str], ctx: Context) -> None:
    """Write `systems`: systems.json, what each of these systems has, by digest, or why there is none."""
    rows = {name: _described(there[name]) if name in there else {"missing": _why(section, name)} for name in names}
    write_json(ctx.output("systems") / "systems.json", rows)
    ctx.log.info("finished runs: %s", ", ".join(there) or "none")
    for name in names:
        if name not in there:
            ctx.log.info("%s: %s", name, rows[name]["missing"])


def _why(section: Any, name: str) -> str:
    if getattr(section, name) is None:
        return f"systems.{name} is not given"
    return f"there is no finished run of {name}"


def _described(system: System) -> dict[str, Any]:
    content = json.loads((system.artifact(system.model_artifact) / "model.json").read_text(encoding="utf-8"))
    digests = _recorded(system.folder)
    present = [name for name in ARTIFACTS if system.has(name)]
    made = {name: digests.get(name) or artifact_digest(hash_files(system.artifact(name))) for name in present}
    row = {"kind": content["model"], "artifacts": made, "conf": _conf(system)}
    return row | ({"scores": read_json(system.artifact("scores") / "scores.json")} if system.has("scores") else {})


def _conf(system: System) -> str:
    """What run.sh calls a system's run: its name, unless its row of results says otherwise."""
    record = RunFolder(system.folder).read_record("results")
    return str(record.plan.slice.get("results.conf", system.name)) if record else system.name


def _recorded(folder: Path) -> dict[str, str]:
    """The digests of a run's artifacts, as they were published."""
    run_folder = RunFolder(folder)
    records = (run_folder.read_record(path.stem) for path in sorted((folder / ".records").glob("*.json")))
    return {name: output.digest for record in records if record for name, output in record.outputs.items()}


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Sorted keys, so that equal measurements are equal bytes."""
    path.write_text(json.dumps(value, indent=1, sort_keys=True, allow_nan=False) + "\n", encoding="utf-8")


def read_json(path: Path) -> Any:
    """What `write_json` wrote."""
    return json.loads(path.read_text(encoding="utf-8"))
