"""The option --teacher of `speechkd finetune`: whom a FastSpeech learns from, and what to type where it has nobody."""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from speechkd.errors import UsageError

if TYPE_CHECKING:
    from recipes.tts.common.finetune import Teacher
    from speechkd.synthesis.manifest import VoiceManifest

#: The kind of voice that learns from a teacher, and the kind of model that can teach.
STUDENT, TEACHING = "fastspeech", "transformer"
_TODO = "Give the folder `model` of a run of: speechkd finetune TRANSFORMER_VOICE CORPUS"


def checked_teacher(
    manifest: VoiceManifest, voice: Path, corpus: Mapping[str, Any], teacher: Path | None
) -> Teacher | None:
    """The teacher for a voice, if it may have one. UsageError for one that cannot teach this voice these recordings."""
    kind = manifest.acoustic.model
    if teacher is None:
        return None
    if kind != STUDENT:
        raise UsageError(
            "this voice learns from the recordings alone", where=str(voice), why=f"it is a {kind}, no {STUDENT}",
            todo="Leave --teacher out",
        )  # fmt: skip
    found = _read(teacher)
    there, here = (_place(each) for each in (found.content["corpus"], corpus))
    if there != here:
        why = f"those of {there}, not of {here}"
        raise UsageError("the teacher was trained on other recordings", where=str(teacher), why=why)
    language = (found.content.get("text") or {}).get("language", manifest.language)
    if language != manifest.language:
        raise UsageError("the teacher speaks another language", where=str(teacher), why=f"{language}, the voice"
                         f" {manifest.language}")  # fmt: skip
    return found


def no_teacher(
    manifest: VoiceManifest, voice: Path, corpus: str, label: str, options: Sequence[tuple[str, str]]
) -> UsageError:
    """What to type instead of a command without a teacher; options: those that were given, as typed."""
    from recipes.tts.common.finetune import SHARED_SECTIONS

    before = [(name, value) for name, value in options if name == "--set" and value.split(".")[0] in SHARED_SECTIONS]
    after = [each for each in options if each not in before]
    run = Path("exp") / "finetuned" / f"teacher-{label}"
    first = ["speechkd", "finetune", _transformer_voice(manifest), corpus, "--out", str(run)]
    second = ["speechkd", "finetune", str(voice), corpus, "--teacher", str(run / "model")]
    lines = [shlex.join([*words, *(part for pair in more for part in pair)])
             for words, more in ((first, before), (second, after))]  # fmt: skip
    return UsageError(
        "a FastSpeech learns from a teacher", where=str(voice),
        why="a Transformer TTS must be fine-tuned on these recordings first",
        todo=f"Type: {lines[0]} ; then: {lines[1]}",
    )  # fmt: skip


def _transformer_voice(manifest: VoiceManifest) -> str:
    """The newest voice at hand that a teacher can start from, else a word to put its folder in place of."""
    from speechkd.synthesis.find import find_voices

    for each in find_voices():
        found = each.manifest
        if found and (found.acoustic.model, found.mel, found.language) == (TEACHING, manifest.mel, manifest.language):
            return str(each.folder)
    return "TRANSFORMER_VOICE"


def _read(model: Path) -> Teacher:
    """The teacher in the folder `model` of its run."""
    from recipes.tts.common.finetune import Teacher

    model = Path(os.path.abspath(model))  # its run is the folder around it, also of `.`
    kind = _json(model / "model.json").get("model")
    if kind is None:
        raise UsageError("there is no finished teacher here", where=str(model), why="no model.json in it", todo=_TODO)
    if kind != TEACHING:
        raise UsageError(f"a {kind} cannot teach", where=str(model), why=f"it is no {TEACHING}", todo=_TODO)
    content = _yaml(model.parent / "config.yaml")
    sections = [content.get("run"), content.get("corpus"), content.get("audio"), content.get("text") or {}]
    if content.get("recipe") != "tts/transformer" or not all(isinstance(each, dict) for each in sections):
        why = "the folder around it has no config.yaml of tts/transformer"
        raise UsageError("this teacher is in no run", where=str(model), why=why, todo=_TODO)
    return Teacher(model, content)


def _place(corpus: Mapping[str, Any]) -> str:
    """Where the recordings are; for a corpus without a folder, its name."""
    folder = corpus.get("dir")
    return os.path.realpath(str(folder)) if folder else str(corpus.get("name"))


def _json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _yaml(path: Path) -> dict[str, Any]:
    import yaml

    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError):
        return {}
    return content if isinstance(content, dict) else {}
