"""Targets on disk: an item store (one item per id, its arrays are the targets) with `targets.json` beside it.

`targets.json` says which targets there are, of which manifest, and by which teacher. Equal targets give equal bytes.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from speechkd.distill.targets import Targets, TargetSpec, check_targets, only_producer
from speechkd.errors import ArtifactError
from speechkd.runner import ItemStore
from speechkd.runner.items import json_line, open_store

FILE = "targets.json"
FORMAT = 1
_SHOWN = 3
Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Description:
    """What `targets.json` holds: the digest of the manifest, the fingerprint of the teacher, and the targets."""

    manifest_digest: str
    teacher: str
    specs: tuple[TargetSpec, ...]


def target_arrays(targets: Targets, specs: Sequence[TargetSpec], row: int = 0) -> dict[str, Array]:
    """One row of a batch as the arrays of a stored item, without the batch axis.

    Give a batch of one: another row is as long as the longest. StageError if the targets are not those of `specs`.
    """
    check_targets(targets, specs)
    return {name: tensor[row].detach().cpu().numpy() for name, tensor in targets.items()}


def write_description(folder: Path, specs: Sequence[TargetSpec], manifest_digest: str, teacher: str) -> None:
    """Make an item store in `folder` a target store; call it when all items are there (`ctx.map`, ItemWriter).

    The first item of every shard is checked against `specs`, whose producers must be `teacher`. ArtifactError for
    items that are not what `specs` say, ValueError for another producer.
    """
    if only_producer(specs) != teacher:
        raise ValueError(f"the targets are made by {only_producer(specs)}, not by {teacher}")
    items = ItemStore(folder)
    for ids in items.shards().values():
        _read(items, ids[0], specs)
    rows = [{key: value for key, value in asdict(spec).items() if key != "producer"} for spec in specs]
    value = {"format": FORMAT, "manifest": manifest_digest, "targets": rows, "teacher": teacher}
    (folder / FILE).write_bytes(json_line(value).encode())


class TargetStore:
    """Reads stored targets by item id. Can be sent to other processes, which open the files themselves."""

    def __init__(self, items: ItemStore, description: Description) -> None:
        self.items = items
        self.description = description

    @classmethod
    def open(cls, folder: Path, *, manifest_digest: str | None = None, teacher: str | None = None) -> TargetStore:
        """The store in a folder.

        ArtifactError if it was made from another manifest than the one with this digest, by another teacher than the
        one with this fingerprint (None: any), or is damaged. In a stage, the digest of the manifest is
        `ctx.record("prepare").outputs["manifest"].digest`.
        """
        description = _read_description(Path(folder))
        _refuse(folder, "manifest", description.manifest_digest, manifest_digest)
        _refuse(folder, "teacher", description.teacher, teacher)
        return cls(open_store(Path(folder)), description)

    @property
    def ids(self) -> tuple[str, ...]:
        """The ids of all items that have targets, sorted."""
        return self.items.ids

    @property
    def specs(self) -> tuple[TargetSpec, ...]:
        """The targets that every item has."""
        return self.description.specs

    @property
    def teacher(self) -> str:
        """The fingerprint of the teacher that made them."""
        return self.description.teacher

    def arrays(self, item_id: str) -> dict[str, Array]:
        """The targets of an item. DataError if it has none, ArtifactError if they are not what the specs say."""
        return _read(self.items, item_id, self.specs)

    def meta(self, item_id: str) -> dict[str, Any]:
        """What was noted about an item besides its targets."""
        return self.items.meta(item_id)

    def require(self, ids: Iterable[str]) -> None:
        """ArtifactError, naming them, if items have no targets: better before the first step than at the thousandth."""
        missing = sorted(set(ids) - set(self.ids))
        if missing:
            more = f" and {len(missing) - _SHOWN} more" if len(missing) > _SHOWN else ""
            raise ArtifactError(
                "items have no targets", where=str(self.items.folder), why=", ".join(missing[:_SHOWN]) + more,
                todo="Run the stage that makes the targets again, or train on the ids of the store",
            )  # fmt: skip


def _read(items: ItemStore, item_id: str, specs: Sequence[TargetSpec]) -> dict[str, Array]:
    arrays = {spec.name: items.array(item_id, spec.name) for spec in specs}
    for spec in specs:
        if why := spec.misfit(arrays[spec.name].dtype, np.ndim(arrays[spec.name])):
            raise ArtifactError(
                "the stored target is not what targets.json says", where=f"{items.folder} {item_id}", why=why
            )
    return arrays


def _read_description(folder: Path) -> Description:
    path = folder / FILE
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
        if raw["format"] != FORMAT:
            raise ValueError("unknown format")
        teacher = str(raw["teacher"])
        specs = tuple(TargetSpec(**row, producer=teacher) for row in raw["targets"])
        return Description(str(raw["manifest"]), teacher, specs)
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise ArtifactError(
            "not a target store", where=str(path), why=f"{type(error).__name__}: {error}",
            todo="Run the stage that makes the targets again",
        ) from error  # fmt: skip


def _refuse(folder: Path, kind: str, found: str, wanted: str | None) -> None:
    if wanted is not None and wanted != found:
        raise ArtifactError(
            f"the targets are those of another {kind}", where=str(folder),
            why=f"they carry {found[:12]}…, the {kind} of this run is {wanted[:12]}…",
            todo=f"Run the stage that makes the targets again, or give the {kind} they were made from",
        )  # fmt: skip
