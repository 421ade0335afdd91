"""Looking at a whole corpus once and saying everything that is wrong with it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

from speechkd.data.audiofacts import AudioFacts, Fault, Limits, film_faults, inspect_audio
from speechkd.data.corpus import Corpus, Problem, Severity, Utterance
from speechkd.data.findings import corpus_problems
from speechkd.data.report import Report, sort_problems

__all__ = ["Limits", "Report", "validate_corpus"]

Inspected = tuple[AudioFacts | None, list[Fault]]


def validate_corpus(
    corpus: Corpus, limits: Limits | None = None, jobs: int = 1, on_done: Callable[[], None] | None = None
) -> Report:
    """Decode every recording of `corpus` and report all problems in one pass.

    `jobs` threads decode at the same time; `on_done` is called once per utterance. The report depends on neither.
    """
    limits = limits or Limits()
    problems: list[Problem] = list(corpus.problems)
    facts: dict[str, AudioFacts] = {}
    told: set[str] = set()
    broken: set[str] = set()
    for utterance, (measured, faults) in _inspect_all(corpus.utterances, limits, jobs):
        problems += [fault.at(utterance.id, corpus.place(utterance.audio_path)) for fault in faults]
        if measured:
            facts[utterance.id] = measured
        told |= {utterance.id} if faults else set()
        broken |= {utterance.id for fault in faults if fault.severity is Severity.ERROR}
        if on_done:
            on_done()
    # A recording that has an error is not compared with the others: one fault is not told twice.
    sound = {id_: fact for id_, fact in facts.items() if id_ not in broken}
    problems += corpus_problems(corpus, sound, told)
    return Report(corpus.folder, sort_problems(problems), facts, corpus.utterances)


def _inspect(utterance: Utterance, limits: Limits) -> Inspected:
    measured, faults = inspect_audio(utterance.audio_path, limits)
    if utterance.video_path is None or utterance.video_path == utterance.audio_path:
        return measured, faults
    return measured, [*faults, *film_faults(utterance.video_path)]


def _inspect_all(utterances: Iterable[Utterance], limits: Limits, jobs: int) -> Iterator[tuple[Utterance, Inspected]]:
    """Each utterance with what was found, in order; only a few are under way at a time."""
    waiting: deque[tuple[Utterance, Future[Inspected]]] = deque()
    with ThreadPoolExecutor(max_workers=max(1, jobs)) as pool:
        for utterance in utterances:
            waiting.append((utterance, pool.submit(_inspect, utterance, limits)))
            if len(waiting) > 4 * max(1, jobs):
                done, future = waiting.popleft()
                yield done, future.result()
        for done, future in waiting:
            yield done, future.result()
