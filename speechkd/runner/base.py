"""Stages that another run, the base, has finished already are taken over instead of being run again.

Several systems of one corpus so share its preparation. A stage is the same where the same function, in the same
version, would see the same configuration, the same input bytes and the same external files. Its files become hard
links: no bytes are copied, and neither run can disturb the other, because publishing renames folders and never writes
into a published file. The base is only read. It is not locked: what was linked is compared with the base's record
afterwards, so a base that changes meanwhile is noticed and not used.
"""

from __future__ import annotations

import os
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from speechkd.errors import UsageError
from speechkd.runner.digests import FileState, artifact_digest, file_digest, list_files
from speechkd.runner.lock import lock_holder
from speechkd.runner.publish import fresh_folder, link_file
from speechkd.runner.records import OutputRecord, Plan, Record, RunFolder
from speechkd.runner.stage import Stage
from speechkd.runner.status import Survey, brief, changed_leaves, damage

# More differences than this say no more to a reader.
_SHOWN_CHANGES = 3


class BaseChangedError(Exception):
    """The base was rebuilt while its files were being linked: the stage must be run after all."""


@dataclass(frozen=True)
class Offer:
    """What a base has for a stage: the record to take over, else why not (empty: nothing that anyone would expect)."""

    record: Record | None = None
    reason: str = ""


class Base:
    """A run folder to take finished stages over from.

    `defaults`: leaves that have their default here; `verify` re-hashes files instead of trusting sizes and times.
    """

    def __init__(self, path: Path, defaults: Collection[str] = (), verify: bool = False) -> None:
        self.folder = RunFolder(path)
        self.defaults = defaults
        self.verify = verify

    @property
    def path(self) -> Path:
        """Where the base is."""
        return self.folder.path

    @property
    def problem(self) -> str:
        """Why nothing at all can be taken over; empty if something may."""
        if not self.path.is_dir():
            return "there is no such folder"
        return "" if (self.path / ".records").is_dir() else "no stage has been run there"

    def offer(self, stage: Stage, plan: Plan) -> Offer:
        """Whether the base has published this stage with this plan, and it can be used now."""
        record = self.folder.read_record(stage.name)
        if record is None or not _same_function(stage, record, plan):
            return Offer()
        reasons = _differences(record, plan, stage, self.defaults)
        if not reasons and (holder := lock_holder(self.path)) is not None:
            reasons = [f"{holder} is working there"]
        if not reasons:
            outputs = sorted(record.outputs.items())
            reasons = [reason for name, each in outputs for reason in damage(self.folder, name, each, self.verify)]
        return Offer(None, "; ".join(reasons)) if reasons else Offer(record)

    def link(self, record: Record, out: Path) -> dict[str, OutputRecord]:
        """Fill `out`/ARTIFACT with the files of the record's artifacts.

        Returns what to record for them. Raises BaseChangedError if the base was touched meanwhile.
        """
        return {name: self._link_artifact(name, output, out / name) for name, output in record.outputs.items()}

    def _link_artifact(self, name: str, output: OutputRecord, target: Path) -> OutputRecord:
        source, copied = self.folder.artifact(name), []
        fresh_folder(target)
        for file in output.files:
            (target / file).parent.mkdir(parents=True, exist_ok=True)
            try:
                if not link_file(source / file, target / file):
                    copied.append(file)
            except FileNotFoundError as error:
                raise BaseChangedError(f"output {name}/{file} deleted") from error
        found = list_files(target)
        for file, state in output.files.items():
            same_time = file in copied or found[file].mtime_ns == state.mtime_ns
            same_bytes = file not in copied or file_digest(target / file) == state.sha256
            if found[file].size != state.size or not same_time or not same_bytes:
                raise BaseChangedError(f"output {name}/{file} changed")
        files = {file: FileState(now.size, now.mtime_ns, output.files[file].sha256) for file, now in found.items()}
        if artifact_digest(files) != output.digest:
            raise BaseChangedError(f"the record of output {name} contradicts itself")
        return OutputRecord(output.digest, output.volatile, files)


def open_base(survey: Survey) -> Base | None:
    """The base that the configuration names, if any. UsageError if it is the run itself."""
    path = survey.recipe.base(survey.cfg)
    if path is None:
        return None
    if os.path.realpath(path) == os.path.realpath(survey.folder.path):
        raise UsageError("run.base is the run's own folder", where=str(path), todo="Name the folder of another run")
    return Base(Path(path), survey.defaults, survey.verify)


def forecast(base: Base, survey: Survey) -> dict[str, Offer]:
    """What the base would offer to the stages that are not fresh, if they were run in order, by stage name."""
    digests: dict[str, str] = {}
    offers: dict[str, Offer] = {}
    for stage in survey.recipe.stages:
        record: Record | None = None
        if survey.statuses[stage.name].fresh:
            record = survey.folder.read_record(stage.name)
        elif digests.keys() >= set(stage.inputs):
            offers[stage.name] = base.offer(stage, survey.plan(stage, digests))
            record = offers[stage.name].record
        digests |= {name: output.digest for name, output in record.outputs.items()} if record is not None else {}
    return offers


def _same_function(stage: Stage, record: Record, plan: Plan) -> bool:
    """Within one recipe a name tells stages apart; among recipes only the function itself does."""
    if record.plan.recipe == plan.recipe:
        return True
    return bool(record.function) and record.function == stage.function_name


def _differences(record: Record, plan: Plan, stage: Stage, defaults: Collection[str]) -> list[str]:
    """In which way the base's stage is another one."""
    old, reasons = record.plan, []
    if old.version != plan.version:
        reasons.append(f"stage version {old.version} there, {plan.version} here")
    changes = changed_leaves(old.slice, plan.slice, defaults)
    reasons += [f"{path} is {brief(before)} there" for path, before, _ in changes]
    names = sorted({*old.inputs, *plan.inputs})
    reasons += [f"input {name} differs" for name in names if old.inputs.get(name) != plan.inputs.get(name)]
    paths = sorted({*old.external, *plan.external})
    there, here = ({path: each.external.get(path, "none") for path in paths} for each in (old, plan))
    reasons += [f"files in {path} differ" for path in paths if there[path] != here[path]]
    if {(each.name, each.volatile) for each in stage.outputs} != {(n, o.volatile) for n, o in record.outputs.items()}:
        reasons.append("other outputs are declared")
    if len(reasons) > _SHOWN_CHANGES:
        return [*reasons[:_SHOWN_CHANGES], f"and {len(reasons) - _SHOWN_CHANGES} more differences"]
    return reasons
