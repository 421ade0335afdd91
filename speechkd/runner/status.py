"""Which stages are done, and why not."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from speechkd.config import diff_leaves
from speechkd.runner.digests import external_digest, file_digest, list_files
from speechkd.runner.lock import lock_holder
from speechkd.runner.records import OutputRecord, Plan, Record, RunFolder
from speechkd.runner.slices import default_leaves, get_path, slice_leaves
from speechkd.runner.stage import Recipe, Stage

# More files than this say no more to a reader.
_SHOWN_FILES = 3


@dataclass(frozen=True)
class StageStatus:
    """The state of a stage: fresh, missing, stale, incomplete, failed or running; `reason` says why."""

    number: int
    name: str
    state: str
    reason: str = ""

    @property
    def fresh(self) -> bool:
        """Whether the stage need not run."""
        return self.state == "fresh"

    @property
    def text(self) -> str:
        """`fresh`, `missing`, `stale: …`, `incomplete (killed)`, `failed: …`."""
        if not self.reason:
            return self.state
        return f"{self.state} ({self.reason})" if self.state == "incomplete" else f"{self.state}: {self.reason}"


class Survey:
    """Looks at the stages of a run in order; `verify` re-hashes every file instead of trusting sizes and times."""

    def __init__(self, recipe: Recipe, cfg: Any, verify: bool = False) -> None:
        self.recipe = recipe
        self.cfg = cfg
        self.folder = RunFolder(recipe.run_dir(cfg))
        self.verify = verify
        self.defaults = default_leaves(cfg)
        self.statuses: dict[str, StageStatus] = {}
        self._records: dict[str, Record | None] = {}
        self._damage: dict[str, list[str]] = {}
        self._externals: dict[str, str] = {}

    def look_at_all(self) -> list[StageStatus]:
        """The states of all stages."""
        return [self.look_at(stage) for stage in self.recipe.stages]

    def look_at(self, stage: Stage) -> StageStatus:
        """The state of one stage, given those of the earlier ones."""
        self._records[stage.name] = record = self.folder.read_record(stage.name)
        waiting = [name for name in stage.inputs if not self._is_fresh(name)]
        plan = None if waiting else self.plan(stage)
        state, reason = self._judge(stage, record, plan, waiting)
        status = StageStatus(self.recipe.number(stage), stage.name, state, reason)
        self.statuses[stage.name] = status
        return status

    def forget(self, stage: Stage) -> None:
        """The stage has been run: look at its files anew, and at those outside, which it may have fetched."""
        self._damage.pop(stage.name, None)
        self._externals.clear()

    def plan(self, stage: Stage, digests: Mapping[str, str] | None = None) -> Plan:
        """What the stage's result depends on now; its inputs must be fresh, or their coming `digests` given."""
        return Plan(
            self.recipe.name,
            stage.name,
            stage.version,
            slice_leaves(self.cfg, stage),
            {name: (digests or {}).get(name) or self._input_digest(name) for name in stage.inputs},
            {path: self._external(path) for path in stage.external},
        )

    def _external(self, path: str) -> str:
        """The digest of external files; a corpus is listed once, not for every stage."""
        if path not in self._externals:
            self._externals[path] = external_digest(get_path(self.cfg, path))
        return self._externals[path]

    def _is_fresh(self, artifact: str) -> bool:
        return self.statuses[self.recipe.producer(artifact).name].fresh

    def _input_digest(self, artifact: str) -> str:
        record = self._records[self.recipe.producer(artifact).name]
        assert record is not None  # a fresh stage has a record
        return record.outputs[artifact].digest

    def _judge(self, stage: Stage, record: Record | None, plan: Plan | None, waiting: list[str]) -> tuple[str, str]:
        reasons = self._reasons(stage, record, plan, waiting) if record is not None else []
        if record is not None and not reasons:
            return "fresh", ""
        marker = self.folder.read_marker(stage.name)
        if marker is not None and plan is not None and marker.fingerprint == plan.fingerprint:
            if marker.state == "failed":
                return "failed", marker.message
            if marker.state == "interrupted":
                return "incomplete", "interrupted"
            holder = lock_holder(self.folder.path)
            elsewhere = holder is not None and holder.pid != os.getpid()
            return ("running", str(holder)) if elsewhere else ("incomplete", "killed")
        return ("stale", "; ".join(reasons)) if record is not None else ("missing", "")

    def _reasons(self, stage: Stage, record: Record, plan: Plan | None, waiting: list[str]) -> list[str]:
        """Why a published stage does not count any more."""
        old = record.plan
        reasons = []
        if old.recipe != self.recipe.name:
            reasons.append(f"recipe {old.recipe} → {self.recipe.name}")
        if old.version != stage.version:
            reasons.append(f"stage version {old.version} → {stage.version}")
        changes = changed_leaves(old.slice, slice_leaves(self.cfg, stage), self.defaults)
        reasons.extend(f"{path} {brief(before)} → {brief(after)}" for path, before, after in changes)
        reasons.extend(self._external_reasons(stage, record))
        reasons.extend(f"input {name} will be rebuilt" for name in waiting)
        for name in sorted({*old.inputs, *stage.inputs}):
            if name not in stage.inputs:
                reasons.append(f"input {name} is not needed any more")
            elif name not in old.inputs:
                reasons.append(f"input {name} is new")
            elif plan is not None and plan.inputs[name] != old.inputs[name]:
                reasons.append(f"input {name} changed")
        return reasons + self._output_reasons(stage, record)

    def _external_reasons(self, stage: Stage, record: Record) -> list[str]:
        reasons = []
        for path in sorted({*stage.external, *record.plan.external}):
            value = get_path(self.cfg, path)
            if path in stage.external and self._external(path) == record.plan.external.get(path, "none"):
                continue
            before = record.external_paths.get(path, "(none)")
            moved = before != external_name(value)
            reasons.append(f"{path} {before} → {external_name(value)}" if moved else f"files in {path} changed")
        return reasons

    def _output_reasons(self, stage: Stage, record: Record) -> list[str]:
        reasons = []
        if {output.name for output in stage.outputs} != set(record.outputs):
            reasons.append("other outputs are declared")
        if stage.name not in self._damage:
            self._damage[stage.name] = [
                reason
                for name, output in sorted(record.outputs.items())
                for reason in damage(self.folder, name, output, self.verify)
            ]
        return reasons + self._damage[stage.name]


def changed_leaves(
    old: Mapping[str, Any], new: Mapping[str, Any], defaults: Collection[str] = ()
) -> list[tuple[str, str, str]]:
    """The leaves that differ. One that is null, or new with its default, is as one that is absent: an option that was
    added later, and is not used. (An option whose default is not what the code did before comes with a new version of
    its stage.)
    """
    before = {path: value for path, value in old.items() if value is not None or path in new}
    unused = {path for path, value in new.items() if path not in old and (value is None or path in defaults)}
    return diff_leaves(before, {path: value for path, value in new.items() if path not in unused})


def brief(text: str) -> str:
    """At most 60 characters of a config value."""
    return text if len(text) <= 60 else text[:57] + "..."


def external_name(value: object) -> str:
    """The location of external files as the record keeps it."""
    if value is None:
        return "(none)"
    return ", ".join(str(each) for each in value) if isinstance(value, (list, tuple)) else str(value)


def damage(run: RunFolder, artifact: str, output: OutputRecord, verify: bool = False) -> list[str]:
    """What happened to the files of an artifact since they were published, by sizes and times; `verify`: by hashes."""
    folder = run.artifact(artifact)
    if not folder.is_dir():
        return [f"output {artifact} deleted"]
    now = list_files(folder)
    reasons = []
    for name in sorted({*now, *output.files}):
        where = f"output {artifact}/{name}"
        if name not in now:
            reasons.append(f"{where} deleted")
        elif name not in output.files:
            reasons.append(f"{where} added")
        elif now[name].size != output.files[name].size:
            reasons.append(f"{where} changed ({output.files[name].size} → {now[name].size} bytes)")
        elif now[name].mtime_ns != output.files[name].mtime_ns or (
            verify and file_digest(folder / name) != output.files[name].sha256
        ):
            reasons.append(f"{where} changed")
    if len(reasons) > _SHOWN_FILES:
        left_out = len(reasons) - _SHOWN_FILES
        return [*reasons[:_SHOWN_FILES], f"and {left_out} more files of {artifact}"]
    return reasons
