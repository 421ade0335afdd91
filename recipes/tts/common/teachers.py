"""A finished run whose model is to teach: is it there, does it fit this run, and does it know the test sentences?"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from recipes.tts.common.manifest import Manifest
from speechkd.data.splits import same_words
from speechkd.errors import ArtifactError, ConfigError, DataError
from speechkd.runner.records import RunFolder


@dataclass(frozen=True)
class Wanted:
    """What a teacher must be: its kind, which is also its recipe's name, and how a user gets one."""

    kind: str
    first: str  # the run that makes it: `run.sh …`
    files: tuple[str, ...] = ()  # beside model.json


def check_teacher(folder: Path, wanted: Wanted, manifest: Path, spoken: Path, audio: Any) -> None:
    """Refuse a teacher that is not there, is of another kind, symbols, mel or level, or knows the test sentences.

    audio: the config's section, of which mel and loudness_dbfs are read. Raises ConfigError, or DataError for a teacher
    that was trained or chosen on sentences that this run tests on, or ArtifactError for damaged files.
    """
    files = ("model.json", *wanted.files)
    if not all((folder / name).is_file() for name in files):
        raise ConfigError(
            "there is no finished teacher here",
            where=str(folder),
            why=f"no {' with '.join(files)}",
            todo=f"Train it first: {wanted.first}",
        )
    model, *_ = [_object(folder / name) for name in files]
    if model.get("model") != wanted.kind:
        todo = f"Give the model of a run of tts/{wanted.kind}"
        raise ConfigError(f"a {model.get('model')} cannot teach", where=str(folder), todo=todo)
    voices = Manifest.read(manifest).speakers
    if tuple(model.get("config", {}).get("speakers", ())) != (voices if len(voices) > 1 else ()):
        raise ConfigError("the teacher has other speakers", where=str(folder), todo="Use the teacher's corpus")
    _refuse_other_inputs(RunFolder(folder.parent), wanted.kind, spoken, audio)
    _refuse_leak(folder.parent, manifest)


def _object(path: Path) -> dict[str, Any]:
    """The JSON object in a file of the teacher's run. ArtifactError for a damaged one."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise _damaged(path, str(error)) from error
    if not isinstance(content, dict):
        raise _damaged(path, f"it holds a {type(content).__name__}")
    return content


def _damaged(path: Path, why: str) -> ArtifactError:
    return ArtifactError("a file of the teacher is damaged", where=str(path), why=why, todo="Train the teacher again")


def _refuse_other_inputs(run: RunFolder, kind: str, spoken: Path, audio: Any) -> None:
    """What the teacher reads and writes must be what the student does."""
    record = run.read_record("extract")
    theirs = run.artifact("spoken") / "symbols.json"
    if record is None or not theirs.is_file():
        raise ConfigError(
            "nobody knows what this teacher was trained on",
            where=str(run.path),
            why="the folder around the model is not that of a run, with its records and tokens",
            todo=f"Give the folder `model` within a finished run of tts/{kind}",
        )
    settings = {"audio.mel": audio.mel, "audio.loudness_dbfs": audio.loudness_dbfs}
    for name, own in settings.items():
        if record.plan.slice.get(name) != own:
            why = f"it was trained with {record.plan.slice.get(name)}, this run has {own}"
            raise ConfigError(f"the teacher has another {name}", where=str(run.path), why=why)
    if _object(theirs) != _object(spoken / "symbols.json"):
        raise ConfigError(
            "the teacher reads other symbols", where=str(theirs), todo="Use the teacher's corpus and text section"
        )


def _refuse_leak(teacher_run: Path, manifest: Path) -> None:
    """No test sentence may have trained the teacher, or chosen its weights or its attention head."""
    known = sentences(teacher_run / "manifest", ("train", "valid"))
    leaked = sorted(known & sentences(manifest, ("test",)))
    if leaked:
        raise DataError(
            f"the teacher knows {len(leaked)} of the test sentences",
            where=str(teacher_run),
            why=f"it was trained or chosen on: {leaked[0]}",
            todo="Use the teacher's split section and corpus",
        )


def sentences(manifest: Path, parts: Sequence[str]) -> set[str]:
    """The words of the sentences in these parts of a split, without case and punctuation."""
    read = Manifest.read(manifest)
    ids = {id_ for part in parts for id_ in read.splits[part]}
    return {same_words(each.text) for each in read.utterances if each.id in ids}
