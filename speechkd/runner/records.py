"""What is on disk about a stage: its record once it is published, and its marker while it works or after it failed."""

from __future__ import annotations

import contextlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from speechkd.config import digest
from speechkd.errors import ResourceError
from speechkd.runner.digests import FileState
from speechkd.runner.publish import write_json, write_record

FORMAT = 1


@dataclass(frozen=True)
class Plan:
    """All that a stage's result depends on; its digest is the fingerprint.

    `slice`: leaves of the config; `inputs`: content digests by artifact; `external`: digests by dotted path.
    """

    recipe: str
    stage: str
    version: int
    slice: dict[str, Any]
    inputs: dict[str, str]
    external: dict[str, str]

    @property
    def fingerprint(self) -> str:
        """SHA-256 (hex) of everything above."""
        return digest(asdict(self))


@dataclass(frozen=True)
class OutputRecord:
    """A published artifact as it was when it was published."""

    digest: str
    volatile: bool
    files: dict[str, FileState]


@dataclass(frozen=True)
class Record:
    """A stage that was published: what it depended on, where external files were, and what it made.

    `seconds`: how long making it took, also where it was taken over from another run; `function`: the importable name
    of the function that made it (empty: not known).
    """

    plan: Plan
    external_paths: dict[str, str]
    outputs: dict[str, OutputRecord]
    seconds: float
    function: str = ""


@dataclass(frozen=True)
class Marker:
    """A stage that was started and not published: `running`, `interrupted` or `failed`, with the message.

    `seconds`: how long earlier attempts, on which this one builds, have worked; one that was killed does not count.
    """

    state: str
    fingerprint: str
    message: str = ""
    seconds: float = 0.0


class RunFolder:
    """The layout of a run folder."""

    def __init__(self, path: Path) -> None:
        self.path = Path(path)

    def artifact(self, name: str) -> Path:
        """The published folder of an artifact."""
        return self.path / name

    def work(self, stage: str) -> Path:
        """Where a stage works before it is published."""
        return self.path / ".work" / stage

    def log(self, number: int, stage: str) -> Path:
        """The log file of a stage."""
        return self.path / "logs" / f"{number:02d}_{stage}.log"

    def record_path(self, stage: str) -> Path:
        """The file that makes a stage's artifacts count."""
        return self.path / ".records" / f"{stage}.json"

    def read_record(self, stage: str) -> Record | None:
        """The record of a stage; None if there is none or it cannot be read."""
        raw = _read_json(self.record_path(stage))
        try:
            return _record_from(raw) if raw is not None and raw["format"] == FORMAT else None
        except (KeyError, TypeError, ValueError, AttributeError):
            return None

    def write_record(self, stage: str, record: Record) -> None:
        """Publish the record of a stage."""
        self.record_path(stage).parent.mkdir(parents=True, exist_ok=True)
        files = {
            name: {**asdict(output), "files": {f: [s.size, s.mtime_ns, s.sha256] for f, s in output.files.items()}}
            for name, output in record.outputs.items()
        }
        value = {**asdict(record), "outputs": files, "format": FORMAT, "fingerprint": record.plan.fingerprint}
        write_record(self.record_path(stage), value)

    def read_marker(self, stage: str) -> Marker | None:
        """The marker of a stage; None if it is not at work."""
        raw = _read_json(self.work(stage) / "state.json")
        try:
            if raw is None:
                return None
            seconds = float(raw.get("seconds", 0.0))
            return Marker(str(raw["state"]), str(raw["fingerprint"]), str(raw["message"]), seconds)
        except (KeyError, TypeError, ValueError):
            return None

    def write_marker(self, stage: str, marker: Marker) -> None:
        """Say what a stage is doing."""
        write_json(self.work(stage) / "state.json", asdict(marker))

    def try_marker(self, stage: str, marker: Marker) -> None:
        """Like `write_marker` where something failed already: a full disk must not hide the first error."""
        with contextlib.suppress(ResourceError, OSError):
            self.write_marker(stage, marker)


def _read_json(path: Path) -> dict[str, Any] | None:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _record_from(raw: dict[str, Any]) -> Record:
    outputs = {
        name: OutputRecord(
            output["digest"],
            output["volatile"],
            {file: FileState(int(size), int(mtime_ns), sha) for file, (size, mtime_ns, sha) in output["files"].items()},
        )
        for name, output in raw["outputs"].items()
    }
    seconds, function = float(raw["seconds"]), str(raw.get("function", ""))
    return Record(Plan(**raw["plan"]), dict(raw["external_paths"]), outputs, seconds, function)
