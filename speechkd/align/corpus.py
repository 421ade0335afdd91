"""Aligning a whole corpus to a folder of TextGrids, several utterances at a time."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from speechkd.align.factory import make_aligner
from speechkd.align.options import GivenOptions, PocketsphinxOptions
from speechkd.align.textgrid import write_textgrid
from speechkd.errors import SpeechkdError

if TYPE_CHECKING:
    from speechkd.text import EnglishFrontend


@dataclass(frozen=True)
class Job:
    """One utterance to align."""

    id: str
    text: str
    audio_path: Path
    out: Path
    options: PocketsphinxOptions | GivenOptions
    lexicon: Path | None


@dataclass(frozen=True)
class Failure:
    """An utterance that could not be aligned, and why."""

    id: str
    reason: str


def align_corpus(
    utterances: Iterable[tuple[str, str, Path]],
    out: Path,
    options: PocketsphinxOptions | GivenOptions,
    jobs: int = 1,
    lexicon: Path | None = None,
    on_done: Callable[[], None] | None = None,
) -> list[Failure]:
    """Align (id, text, audio path) each to `<out>/<id>.TextGrid`; returns those that failed, in order.

    The files are the same for any number of `jobs` (processes).
    """
    out.mkdir(parents=True, exist_ok=True)
    work = [Job(identifier, text, path, out, options, lexicon) for identifier, text, path in utterances]
    failures = []
    for failure in _run(work, jobs):
        if failure is not None:
            failures.append(failure)
        if on_done:
            on_done()
    return failures


def _run(work: list[Job], jobs: int) -> Iterator[Failure | None]:
    if jobs <= 1:
        yield from map(align_one, work)
        return
    with ProcessPoolExecutor(jobs, mp_context=multiprocessing.get_context("spawn")) as pool:
        yield from pool.map(align_one, work, chunksize=8)


def align_one(job: Job) -> Failure | None:
    """Align one utterance and write its TextGrid; an older one is removed when it fails."""
    from speechkd.audio.io import read_audio

    path = job.out / f"{job.id}.TextGrid"
    try:
        tokens = _frontend(job.lexicon).tokens(job.text)
        audio = read_audio(job.audio_path)
        aligner = make_aligner(job.options)
        write_textgrid(path, aligner.align(audio.samples, audio.sample_rate, tokens, utterance_id=job.id))
    except SpeechkdError as error:
        path.unlink(missing_ok=True)
        return Failure(job.id, str(error))
    return None


@lru_cache(maxsize=1)
def _frontend(lexicon: Path | None) -> EnglishFrontend:
    from speechkd.text import EnglishFrontend

    return EnglishFrontend(lexicon)
