"""Several corpora of one voice each as one of several voices: folders laid out like LJSpeech, side by side."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from recipes.tts.common.corpora.ljspeech import LJSPEECH_LAYOUT, read_ljspeech
from speechkd.data.corpus import Corpus, Problem, Severity, Utterance
from speechkd.errors import DataError, UsageError


def read_joined(folder: Path, folders: str = "", speakers: str = "") -> Corpus:
    """Read the corpora in these folders below `folder` ("a,b"), or all that are there. Ids stay as they are.

    speakers: who speaks in each, in the same order; the names of the folders if not given. An id that two corpora have
    is a problem of the second. Raises `DataError` for a folder that is no such corpus, `UsageError` for speakers that
    do not fit the folders.
    """
    names = _listed(folders) or [path.parent.name for path in sorted(folder.glob("*/metadata.csv"))]
    if not names:
        todo = "Put folders laid out like LJSpeech into it, one for each voice."
        raise DataError("There is no corpus to join", where=str(folder), why="it holds no */metadata.csv", todo=todo)
    voices = _listed(speakers) or names
    if len(voices) != len(names) or len(set(voices)) != len(voices):
        why = f"folders: {', '.join(names)}; speakers: {', '.join(voices)}"
        raise UsageError("the speakers do not fit the folders", why=why, todo="Give each folder a speaker of its own.")
    parts = [_part(folder, name, voice) for name, voice in zip(names, voices, strict=True)]
    utterances, doubled = _once(folder, parts)
    problems = [problem for part in parts for problem in part.problems]
    unlisted = tuple(path for part in parts for path in part.unlisted)
    normalised = all(part.normalised for part in parts)
    return Corpus(folder, utterances, (*problems, *doubled), folder, unlisted, normalised=normalised)


def _listed(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _part(folder: Path, name: str, voice: str) -> Corpus:
    """One of the corpora: its utterances know who says them and where the texts stand, its problems where they are."""
    LJSPEECH_LAYOUT.check("ljspeech", folder / name)
    corpus = read_ljspeech(folder / name)
    said = tuple(replace(each, speaker=voice, source=corpus.transcripts) for each in corpus.utterances)
    problems = tuple(replace(each, where=f"{name}/{each.where}") for each in corpus.problems)
    return replace(corpus, utterances=said, problems=problems)


def _once(folder: Path, parts: Sequence[Corpus]) -> tuple[tuple[Utterance, ...], list[Problem]]:
    """The utterances of all parts, and problems instead of those whose id an earlier part has."""
    found: dict[str, Utterance] = {}
    doubled = []
    for each in _all(parts):
        if each.id in found:
            what = f"is also an utterance of {found[each.id].speaker}"
            where = f"{(each.source or folder).relative_to(folder)}:{each.line}:1"
            doubled.append(
                Problem(Severity.ERROR, "duplicate_id", each.id, where, what, "Rename it, and its recording.")
            )
        else:
            found[each.id] = each
    return tuple(found.values()), doubled


def _all(parts: Sequence[Corpus]) -> Iterator[Utterance]:
    for part in parts:
        yield from part.utterances
