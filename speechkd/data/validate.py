"""Looking at a whole corpus once and saying everything that is wrong with it."""

from __future__ import annotations

import json
import shlex
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from speechkd.data.audiofacts import AudioFacts, Fault, Limits, inspect_audio
from speechkd.data.corpus import Corpus, Problem, Severity, Utterance, printable
from speechkd.data.splits import same_words
from speechkd.errors import DataError

# A rate this many robust standard deviations from the median is no way of speaking but a wrong text or cut.
_RATE_DEVIATIONS = 6.0
_FEW = 20  # below this many utterances a median says little
_MAX_LISTED = 20


@dataclass(frozen=True)
class Report:
    """All problems of a corpus, the worst first, and what was measured of its recordings."""

    folder: Path
    problems: tuple[Problem, ...]
    facts: Mapping[str, AudioFacts]
    utterances: int

    @property
    def errors(self) -> tuple[Problem, ...]:
        """The problems that stop a recipe."""
        return tuple(problem for problem in self.problems if problem.severity is Severity.ERROR)

    def counts(self) -> dict[str, int]:
        """Number of problems of each severity."""
        found = Counter(problem.severity for problem in self.problems)
        return {str(severity): found[severity] for severity in Severity}

    def to_json(self) -> dict[str, Any]:
        """A JSON-ready form without anything of this machine or moment in it."""
        return {
            "counts": self.counts(),
            "kinds": dict(sorted(Counter(problem.kind for problem in self.problems).items())),
            "problems": [problem.to_json() for problem in self.problems],
            "utterances": self.utterances,
            "duration_s": round(sum(facts.duration_s for facts in self.facts.values()), 3),
            "sample_rates": _tally(facts.sample_rate for facts in self.facts.values()),
            "channels": _tally(facts.channels for facts in self.facts.values()),
        }

    def write_json(self, path: Path) -> None:
        """Write `to_json` with fixed formatting."""
        text = json.dumps(self.to_json(), indent=2, sort_keys=True, ensure_ascii=False)
        path.write_text(text + "\n", encoding="utf-8", newline="\n")

    def to_text(self, max_lines: int | None = None) -> str:
        """One line per problem and a summary line."""
        lines = [str(problem) for problem in self.problems]
        if max_lines is not None and len(lines) > max_lines:
            lines = [*lines[:max_lines], f"… and {len(lines) - max_lines} more"]
        hours = sum(facts.duration_s for facts in self.facts.values()) / 3600
        counts = ", ".join(f"{number} {severity}" for severity, number in self.counts().items())
        return "\n".join([*lines, f"{self.utterances} utterances, {hours:.2f} h: {counts}"])

    def raise_errors(self) -> None:
        """Raise a `DataError` with the number of errors and the first of them; does nothing when there is none."""
        errors = self.errors
        if errors:
            first = str(errors[0]).removeprefix("error: ").rstrip(".")
            more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
            raise DataError(
                f"{len(errors)} error{'s' if len(errors) > 1 else ''} in the corpus",
                where=str(self.folder),
                why=f"{first}{more}",
                todo=f"All of them: speechkd data validate {shlex.quote(str(self.folder))}",
            )


def validate_corpus(
    corpus: Corpus, limits: Limits | None = None, jobs: int = 1, on_done: Callable[[], None] | None = None
) -> Report:
    """Decode every recording of `corpus` and report all problems in one pass.

    `jobs` threads decode at the same time; `on_done` is called once per utterance. The report depends on neither.
    """
    limits = limits or Limits()
    problems = list(corpus.problems)
    facts: dict[str, AudioFacts] = {}

    def inspect(utterance: Utterance) -> tuple[AudioFacts | None, list[Fault]]:
        found = inspect_audio(utterance.audio_path, limits)
        if on_done:
            on_done()
        return found

    with ThreadPoolExecutor(max_workers=max(1, jobs)) as pool:
        for utterance, (measured, faults) in zip(corpus.utterances, pool.map(inspect, corpus.utterances), strict=True):
            problems += [fault.at(utterance.id, corpus.place(utterance.audio_path)) for fault in faults]
            if measured:
                facts[utterance.id] = measured
    problems += _corpus_problems(corpus, facts)
    order = {severity: rank for rank, severity in enumerate(Severity)}
    problems.sort(key=lambda problem: (order[problem.severity], _place_key(problem.where), problem.kind, problem.id))
    return Report(corpus.folder, tuple(problems), facts, len(corpus.utterances))


def _place_key(where: str) -> tuple[str, tuple[int, ...]]:
    name, *numbers = where.split(":")
    return name, tuple(int(number) for number in numbers if number.isdigit())


def _tally(values: Iterator[int]) -> dict[str, int]:
    return {str(value): number for value, number in sorted(Counter(values).items())}


def _corpus_problems(corpus: Corpus, facts: Mapping[str, AudioFacts]) -> Iterator[Problem]:
    table = corpus.place(corpus.transcripts)
    if not corpus.utterances:
        yield Problem(Severity.ERROR, "no_utterance", "", table, "holds no usable line", "Write lines of id|text.")
    for path in corpus.unlisted:
        what, todo = "has no transcript", "Add a line for it or remove the recording."
        yield Problem(Severity.WARNING, "no_transcript", printable(path.stem), corpus.place(path), what, todo)
    yield from _mixes(table, facts)
    yield from _rate_outliers(corpus, facts)
    yield from _repeats(corpus, facts)


def _mixes(table: str, facts: Mapping[str, AudioFacts]) -> Iterator[Problem]:
    kinds = (("sample_rate_mix", "sample rates", "sample_rate"), ("channel_mix", "numbers of channels", "channels"))
    for kind, name, attribute in kinds:
        tally = _tally(getattr(fact, attribute) for fact in facts.values())
        if len(tally) > 1:
            listing = ", ".join(f"{value} ({number} recordings)" for value, number in tally.items())
            todo = "They are made equal while reading; check that they come from one source."
            yield Problem(Severity.WARNING, kind, "", table, f"the recordings have several {name}: {listing}", todo)


def _rate_outliers(corpus: Corpus, facts: Mapping[str, AudioFacts]) -> Iterator[Problem]:
    """Texts that are far too long or too short for their recording: letters per second, judged on a log scale."""
    spoken = [utterance for utterance in corpus.utterances if utterance.id in facts]
    if len(spoken) < _FEW:
        return
    letters = np.array([max(1, sum(map(str.isalnum, utterance.text))) for utterance in spoken])
    rates = letters / np.array([facts[utterance.id].duration_s for utterance in spoken])
    logs = np.log(rates)
    deviation = np.abs(logs - np.median(logs))
    # 1.4826 makes the median deviation a standard deviation; very even corpora are given some room.
    spread = max(1.4826 * float(np.median(deviation)), 0.1)
    for index in np.flatnonzero(deviation > _RATE_DEVIATIONS * spread):
        utterance = spoken[index]
        what = f"{rates[index]:.1f} letters per second, the median is {np.median(rates):.1f}"
        where = f"{corpus.place(corpus.transcripts)}:{utterance.line}"
        todo = "Check that text and recording belong together."
        yield Problem(Severity.WARNING, "speaking_rate", utterance.id, where, what, todo)


def _repeats(corpus: Corpus, facts: Mapping[str, AudioFacts]) -> Iterator[Problem]:
    texts: dict[str, list[Utterance]] = defaultdict(list)
    sounds: dict[str, list[Utterance]] = defaultdict(list)
    for utterance in corpus.utterances:
        texts[same_words(utterance.text)].append(utterance)
        if utterance.id in facts:
            sounds[facts[utterance.id].digest].append(utterance)
    table = corpus.place(corpus.transcripts)
    for group in (group for group in texts.values() if len(group) > 1):
        what = f"the same text {len(group)} times: {_names(group)}"
        todo = "They stay in the same part when the corpus is split."
        yield Problem(Severity.INFO, "same_text", group[0].id, f"{table}:{group[0].line}", what, todo)
    for group in (group for group in sounds.values() if len(group) > 1):
        what = f"the same recording {len(group)} times: {_names(group)}"
        todo = "Keep one of them."
        yield Problem(Severity.WARNING, "same_recording", group[0].id, f"{table}:{group[0].line}", what, todo)


def _names(group: list[Utterance]) -> str:
    names = ", ".join(utterance.id for utterance in group[:_MAX_LISTED])
    return names if len(group) <= _MAX_LISTED else f"{names} …"
