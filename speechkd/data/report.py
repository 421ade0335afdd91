"""The report on a corpus: all problems, and what was measured, as text and as JSON."""

from __future__ import annotations

import json
import shlex
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from speechkd.data.audiofacts import AudioFacts
from speechkd.data.corpus import Problem, Severity, Utterance, printable
from speechkd.data.findings import letter_rate
from speechkd.errors import DataError

_RANK = {severity: rank for rank, severity in enumerate(Severity)}
_PLURALS = {"error": "errors", "warning": "warnings", "info": "infos"}
_LEAST_PER_KIND = 3


@dataclass(frozen=True)
class Report:
    """All problems of a corpus, the worst first, and what was measured of its recordings."""

    folder: Path
    problems: tuple[Problem, ...]
    facts: Mapping[str, AudioFacts]
    spoken: tuple[Utterance, ...] = field(repr=False, default=())

    @property
    def utterances(self) -> int:
        """Number of usable lines."""
        return len(self.spoken)

    @property
    def errors(self) -> tuple[Problem, ...]:
        """The problems that stop a recipe."""
        return tuple(problem for problem in self.problems if problem.severity is Severity.ERROR)

    def counts(self) -> dict[str, int]:
        """Number of problems of each severity."""
        found = Counter(problem.severity for problem in self.problems)
        return {str(severity): found[severity] for severity in Severity}

    def with_problems(self, more: Iterable[Problem]) -> Report:
        """This report and what another check found."""
        return Report(self.folder, sort_problems([*self.problems, *more]), self.facts, self.spoken)

    def by_kind(self) -> list[tuple[Severity, str, list[Problem]]]:
        """The problems of each severity and kind, errors first, then by name."""
        groups: dict[tuple[Severity, str], list[Problem]] = defaultdict(list)
        for problem in self.problems:
            groups[problem.severity, problem.kind].append(problem)
        ordered = sorted(groups.items(), key=lambda pair: (_RANK[pair[0][0]], pair[0][1]))
        return [(severity, kind, problems) for (severity, kind), problems in ordered]

    def measures(self) -> dict[str, list[float]]:
        """Duration in seconds, letters per second and speech level in dB of each recording without errors, by name."""
        broken = {problem.id for problem in self.errors}
        spoken = [each for each in self.spoken if each.id in self.facts and each.id not in broken]
        pairs = [(utterance, self.facts[utterance.id]) for utterance in spoken]
        return {
            "duration_s": [fact.duration_s for _, fact in pairs],
            "letters_per_s": [letter_rate(utterance, fact) for utterance, fact in pairs],
            "level_db": [20 * float(np.log10(fact.level)) for _, fact in pairs if fact.level > 0],
        }

    def speakers(self) -> dict[str, dict[str, float]]:
        """Utterances, seconds and problems of each speaker."""
        table: dict[str, dict[str, float]] = {}
        owner = {utterance.id: utterance.speaker for utterance in self.spoken}
        for utterance in sorted(self.spoken, key=lambda each: each.speaker):
            row = table.setdefault(utterance.speaker, {"utterances": 0, "duration_s": 0.0, "problems": 0})
            row["utterances"] += 1
            fact = self.facts.get(utterance.id)
            row["duration_s"] = round(row["duration_s"] + (fact.duration_s if fact else 0.0), 3)
        for problem in self.problems:
            if problem.id in owner:
                table[owner[problem.id]]["problems"] += 1
        return table

    def to_json(self) -> dict[str, Any]:
        """A JSON-ready form without anything of this machine or moment in it."""
        percentiles = {
            name: {f"p{share}": round(float(np.percentile(values, share)), 3) for share in (0, 1, 50, 99, 100)}
            for name, values in self.measures().items()
            if values
        }
        return {
            "counts": self.counts(),
            "kinds": dict(sorted(Counter(problem.kind for problem in self.problems).items())),
            "problems": [problem.to_json() for problem in self.problems],
            "utterances": self.utterances,
            "duration_s": round(sum(facts.duration_s for facts in self.facts.values()), 3),
            "sample_rates": tally(facts.sample_rate for facts in self.facts.values()),
            "channels": tally(facts.channels for facts in self.facts.values()),
            "measures": percentiles,
            "speakers": self.speakers(),
        }

    def write_json(self, path: Path) -> None:
        """Write `to_json` with fixed formatting."""
        text = json.dumps(self.to_json(), indent=2, sort_keys=True, ensure_ascii=False)
        path.write_text(text + "\n", encoding="utf-8", newline="\n")

    def to_text(self, max_lines: int | None = None) -> str:
        """A paragraph per kind and a summary line; with `max_lines`, each kind shows an equal share of its problems."""
        groups = self.by_kind()
        room = None if max_lines is None else max(_LEAST_PER_KIND, (max_lines - len(groups)) // max(1, len(groups)))
        lines = [line for severity, kind, problems in groups for line in _paragraph(severity, kind, problems, room)]
        return "\n".join([*lines, self.summary()])

    def summary(self) -> str:
        """How much there is and how much is wrong with it, in one line."""
        hours = sum(facts.duration_s for facts in self.facts.values()) / 3600
        speakers = len({utterance.speaker for utterance in self.spoken})
        of = f" of {speakers} speakers" if speakers > 1 else ""
        counts = ", ".join(f"{number} {severity}" for severity, number in self.counts().items())
        return f"{self.utterances} utterances{of}, {hours:.2f} h: {counts}"

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


def sort_problems(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """The worst first, then by place."""
    return tuple(sorted(problems, key=lambda each: (_RANK[each.severity], _place(each.where), each.kind, each.id)))


def tally(values: Iterable[int]) -> dict[str, int]:
    """How often each value occurs."""
    return {str(value): number for value, number in sorted(Counter(values).items())}


def _place(where: str) -> tuple[str, tuple[int, ...]]:
    name, *numbers = where.split(":")
    return name, tuple(int(number) for number in numbers if number.isdigit())


def _paragraph(severity: Severity, kind: str, problems: list[Problem], room: int | None) -> Iterator[str]:
    """A heading, what to do if that is the same for all, and the problems, as many as there is room for."""
    shared = problems[0].todo if len({problem.todo for problem in problems}) == 1 else ""
    number = f"{len(problems)} {severity if len(problems) == 1 else _PLURALS[severity]}"
    yield printable(f"{kind}: {number}. {shared}".rstrip())
    shown = problems[:room]
    for problem in shown:
        own = f". {problem.todo}" if problem.todo and not shared else ""
        yield printable(f"  {severity}: {problem.where}{_named(problem)}: {problem.what}{own}")
    if len(shown) < len(problems):
        yield f"  … and {len(problems) - len(shown)} more"


def _named(problem: Problem) -> str:
    return f" ({problem.id})" if problem.id and problem.id not in problem.where + problem.what else ""
