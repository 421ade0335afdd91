"""The plan of a distillation: which teacher feeds which term of the student's loss. Needs no torch, and no teacher."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING

from speechkd.distill.objective import Objective, Term, TermFunction, TermSpec
from speechkd.distill.schedules import describe
from speechkd.distill.targets import TargetSpec
from speechkd.errors import ArtifactError, ConfigError

if TYPE_CHECKING:
    from speechkd.distill.teacher import Teacher


@dataclass(frozen=True)
class Feed:
    """A term of the explanation, for people: who gives it what."""

    term: str
    weight: str
    student: str
    teacher: str
    batch: str
    equation: str


@dataclass(frozen=True)
class DistillationPlan:
    """Teacher, student, the targets between them, and the terms that read them.

    `stored`: the targets are made before the training and read by id; else the teacher is asked at every step.
    ConfigError if a term reads a target that nobody makes, or two targets or terms share a name.
    """

    teacher: str
    student: str
    stored: bool
    targets: tuple[TargetSpec, ...]
    terms: tuple[TermSpec, ...]
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in ("targets", "terms", "notes"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        for names in (list(self._made()), [term.name for term in self.terms]):
            if len(set(names)) < len(names):
                raise ConfigError("two targets or two terms of a plan share a name", why=", ".join(names))
        for term in self.terms:
            for target in term.targets:
                if target not in self._made():
                    raise self._unfed(term.name, target)

    def _made(self) -> list[str]:
        return [spec.name for spec in self.targets]

    def _unfed(self, term: str, target: str) -> ConfigError:
        close = get_close_matches(target, self._made(), n=1)
        hint = f"Did you mean {close[0]}? " if close else ""
        made = ", ".join(self._made()) or "no targets"
        return ConfigError(
            f"the term {term} reads the target {target}, which nobody makes", todo=f"{hint}{self.teacher} makes {made}"
        )

    def feeds(self) -> tuple[Feed, ...]:
        """A row per term: everything that it reads, and who gives it."""
        forms = {spec.name: f"{spec.name} {spec.form()}" for spec in self.targets}
        return tuple(
            Feed(
                term.name,
                describe(term.weight) + (", not computed" if term.weight == 0 else ""),
                ", ".join(term.outputs) or "nothing",
                ", ".join(forms[name] for name in term.targets) or "nothing",
                ", ".join(term.batch) or "nothing",
                term.equation,
            )
            for term in self.terms
        )

    def unread(self) -> tuple[TargetSpec, ...]:
        """Targets that no term reads: the student is fed with them in another way, or they are not needed."""
        read = {name for term in self.terms for name in term.targets}
        return tuple(spec for spec in self.targets if spec.name not in read)

    def objective(self, functions: Mapping[str, TermFunction]) -> Objective:
        """The objective of exactly these terms, with their code by name. ConfigError if one is missing or too many."""
        names = {term.name for term in self.terms}
        if names != set(functions):
            raise ConfigError(
                "the plan and the code have different terms",
                why=f"{sorted(names)} are planned, {sorted(functions)} given",
            )
        return Objective([Term(term, functions[term.name]) for term in self.terms])

    def check(self, teacher: Teacher) -> None:
        """ArtifactError, before the first step, if a teacher (or a store) does not give what the terms will read."""
        given = {spec.name: spec for spec in teacher.specs}
        read = {name for term in self.terms for name in term.targets}
        for spec in self.targets:
            found = given.get(spec.name)
            if spec.name in read and (found is None or found.form() != spec.form()):
                raise ArtifactError(
                    f"the teacher does not give the target {spec.name} that the plan names",
                    why=f"planned {spec.form()}, given {found.form() if found else 'nothing'}",
                    todo="Run the stage that makes the targets again",
                )
