"""The teacher: a finished one that is checked and copied, or one that is trained here."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from recipes.tts.common.manifest import Manifest
from speechkd.data.splits import same_words
from speechkd.errors import ArtifactError, ConfigError, DataError
from speechkd.runner import Context
from speechkd.runner.records import RunFolder

HEAD = "head.json"


def run(cfg: Any, ctx: Context) -> None:
    """Write `teacher`, laid out as the artifact `model` of tts/transformer."""
    if cfg.teacher.model is None:
        from recipes.tts.transformer.train import run as train

        train(cfg.teacher.own, ctx, "teacher")
        return
    folder = cfg.teacher.model
    check(folder, ctx.input("manifest"), ctx.input("spoken"), cfg.audio)
    shutil.copytree(folder, ctx.output("teacher"), dirs_exist_ok=True, copy_function=shutil.copyfile)
    ctx.log.info("taught by %s", folder)


def check(folder: Path, manifest: Path, spoken: Path, audio: Any) -> None:
    """Refuse a teacher that is not there, is of another kind, symbols, mel or level, or knows the test sentences.

    audio: the config's section, of which mel and loudness_dbfs are read. Raises ConfigError, or DataError for a teacher
    that was trained or chosen on sentences that this run tests on, or ArtifactError for damaged files.
    """
    if not (folder / "model.json").is_file() or not (folder / HEAD).is_file():
        raise ConfigError(
            "there is no finished teacher here",
            where=str(folder),
            why=f"no model.json with {HEAD}",
            todo="Train it first: run.sh transformer",
        )
    model = _object(folder / "model.json")
    _object(folder / HEAD)
    if model.get("model") != "transformer":
        todo = "Give the model of a run of tts/transformer"
        raise ConfigError(f"a {model.get('model')} cannot teach", where=str(folder), todo=todo)
    voices = Manifest.read(manifest).speakers
    if tuple(model.get("config", {}).get("speakers", ())) != (voices if len(voices) > 1 else ()):
        raise ConfigError("the teacher has other speakers", where=str(folder), todo="Use the teacher's corpus")
    _refuse_other_inputs(RunFolder(folder.parent), spoken, audio)
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


def _refuse_other_inputs(run: RunFolder, spoken: Path, audio: Any) -> None:
    """What the teacher reads and writes must be what the student does."""
    record = run.read_record("extract")
    theirs = run.artifact("spoken") / "symbols.json"
    if record is None or not theirs.is_file():
        raise ConfigError(
            "nobody knows what this teacher was trained on",
            where=str(run.path),
            why="the folder around the model is not that of a run, with its records and tokens",
            todo="Give the folder `model` within a finished run of tts/transformer",
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


def sentences(manifest: Path, parts: tuple[str, ...]) -> set[str]:
    """The words of the sentences in these parts of a split, without case and punctuation."""
    read = Manifest.read(manifest)
    ids = {id_ for part in parts for id_ in read.splits[part]}
    return {same_words(each.text) for each in read.utterances if each.id in ids}
