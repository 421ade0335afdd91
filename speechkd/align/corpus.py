"""Aligning a whole corpus to a folder of TextGrids, several utterances at a time."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from speechkd.align.factory import make_aligner
from speechkd.align.options import AlignOptions
from speechkd.align.textgrid import write_textgrid
from speechkd.align.types import AlignInput
from speechkd.errors import DataError

if TYPE_CHECKING:
    from speechkd.text import Frontend


@dataclass(frozen=True)
class Job:
    """One utterance to align."""

    utterance: AlignInput
    out: Path
    options: AlignOptions


@dataclass(frozen=True)
class Failure:
    """An utterance that could not be aligned, and why."""

    id: str
    reason: str


@dataclass(frozen=True)
class Note:
    """An utterance that was aligned, and what it took beyond the usual search."""

    id: str
    note: str


def read_texts(
    utterances: Iterable[tuple[str, str, Path, str]], frontend: Frontend
) -> tuple[list[AlignInput], list[Failure]]:
    """(id, text, audio path, speaker) with the tokens of the text; and those whose text has none, with the reason."""
    inputs: list[AlignInput] = []
    failures: list[Failure] = []
    for identifier, text, path, speaker in utterances:
        try:
            inputs.append(AlignInput(identifier, frontend.tokens(text), path, speaker))
        except DataError as error:
            failures.append(Failure(identifier, str(error)))
    return inputs, failures


def align_corpus(
    utterances: Sequence[AlignInput],
    out: Path,
    options: AlignOptions,
    jobs: int = 1,
    on_done: Callable[[], None] | None = None,
) -> list[Failure | Note]:
    """Align each utterance to `<out>/<id>.TextGrid`; returns what there is to say about some of them, in order.

    The files are the same for any number of `jobs` (processes). An error other than `DataError`, which concerns one
    utterance, is raised: it would come back for every other one.
    """
    out.mkdir(parents=True, exist_ok=True)
    remarks: list[Failure | Note] = []
    for remark in _run([Job(utterance, out, options) for utterance in utterances], jobs):
        if remark is not None:
            remarks.append(remark)
        if on_done:
            on_done()
    return remarks


def _run(work: list[Job], jobs: int) -> Iterator[Failure | Note | None]:
    if jobs <= 1:
        yield from map(align_one, work)
        return
    with ProcessPoolExecutor(jobs, mp_context=multiprocessing.get_context("spawn")) as pool:
        yield from pool.map(align_one, work, chunksize=8)


def align_one(job: Job) -> Failure | Note | None:
    """Align one utterance and write its TextGrid; an older one is removed when it fails."""
    from speechkd.audio.io import read_audio

    utterance = job.utterance
    path = job.out / f"{utterance.id}.TextGrid"
    try:
        audio = read_audio(utterance.audio_path)
        found = make_aligner(job.options).align(
            audio.samples, audio.sample_rate, utterance.text_tokens, utterance_id=utterance.id
        )
    except DataError as error:
        path.unlink(missing_ok=True)
        return Failure(utterance.id, str(error))
    write_textgrid(path, found)
    return Note(utterance.id, found.note) if found.note else None
