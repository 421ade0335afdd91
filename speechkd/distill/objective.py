"""The student's loss: weighted terms, each of which says what it reads. Knows no torch until it is called."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from math import isfinite
from operator import add
from typing import TYPE_CHECKING, Any, TypeAlias

from speechkd.distill.schedules import Weight, weight_at
from speechkd.errors import ConfigError, StageError

if TYPE_CHECKING:
    from torch import Tensor

    from speechkd.distill.targets import Targets
    from speechkd.distill.teacher import Teacher

TermFunction: TypeAlias = "Callable[[Mapping[str, Any], Targets, Any], Tensor]"
"""(outputs, targets, batch) → scalar, not weighted. It sees the outputs and targets of its TermSpec, and no others."""


@dataclass(frozen=True)
class TermSpec:
    """What a term is, without its code: equation, and what it reads of the student, the teacher and the batch."""

    name: str
    equation: str
    outputs: tuple[str, ...]
    targets: tuple[str, ...] = ()
    weight: Weight = 1.0
    batch: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in ("outputs", "targets", "batch"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        if isinstance(self.weight, float) and not isfinite(self.weight):
            raise ValueError(f"term {self.name}: the weight {self.weight} is not a number")


@dataclass(frozen=True)
class Term:
    """A term with its code."""

    spec: TermSpec
    function: TermFunction

    def __call__(self, outputs: Mapping[str, Any], targets: Targets, batch: Any) -> Tensor:
        """The term's value, not weighted. StageError if something it reads is not there, or it is not a scalar."""
        name = self.spec.name
        own_outputs = _Declared(name, "output", "student", self.spec.outputs, outputs)
        own_targets = _Declared(name, "target", "teacher", self.spec.targets, targets)
        for target, tensor in own_targets.items():
            if tensor.requires_grad:
                raise StageError(f"target {target} of the term {name} carries a gradient", todo="Detach it")
        value = self.function(own_outputs, own_targets, batch)
        if value.ndim:
            raise StageError(f"the term {name} is not a scalar", why=f"its shape is {tuple(value.shape)}")
        return value


class _Declared(dict[str, Any]):
    """The part of the outputs or targets that a term declares; reading more is an error, so declarations are true."""

    def __init__(self, term: str, kind: str, giver: str, names: Iterable[str], given: Mapping[str, Any]) -> None:
        self.message = f"the term {term} reads the {kind} %s, which its TermSpec does not declare"
        for name in names:
            if name not in given:
                known = ", ".join(sorted(given)) or "none"
                raise StageError(f"the {giver} gives no {kind} {name} to the term {term}", why=f"it gives {known}")
            self[name] = given[name]

    def __missing__(self, name: str) -> Any:
        raise StageError(self.message % name, todo=f"Add {name} to it")


class Objective:
    """A sum of weighted terms. A term whose weight is 0 at a step is not computed, and its teacher not asked.

    So the objective with a term of weight 0 is, to the last bit, the objective without the term. ConfigError if two
    terms share a name, or there is none.
    """

    def __init__(self, terms: Sequence[Term]) -> None:
        names = [term.spec.name for term in terms]
        if not names or len(set(names)) < len(names):
            raise ConfigError("an objective has one or more terms with names of their own", why=f"its terms: {names}")
        self._terms = tuple(terms)

    @property
    def specs(self) -> tuple[TermSpec, ...]:
        """The terms without their code."""
        return tuple(term.spec for term in self._terms)

    def wanted(self, step: int) -> frozenset[str]:
        """The targets that are read at a step (from 1)."""
        return frozenset(name for term, _ in self._active(step) for name in term.spec.targets)

    def terms(self, outputs: Mapping[str, Any], targets: Targets | Teacher, batch: Any, step: int) -> dict[str, Tensor]:
        """The weighted terms by name, which is what the training loop takes; without those of weight 0.

        `targets`: those of the batch, or the teacher, who is then asked only if a term of this step reads a target.
        """
        if not isinstance(targets, Mapping):
            targets = targets.targets(batch) if self.wanted(step) else {}
        return {term.spec.name: term(outputs, targets, batch) * weight for term, weight in self._active(step)}

    def __call__(
        self, outputs: Mapping[str, Any], targets: Targets | Teacher, batch: Any, step: int
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """(Σ weight · term, the weighted terms by name)."""
        values = self.terms(outputs, targets, batch, step)
        return reduce(add, values.values()), values

    def _active(self, step: int) -> list[tuple[Term, float]]:
        weighted = [(term, weight_at(term.spec.weight, step)) for term in self._terms]
        active = [(term, weight) for term, weight in weighted if weight != 0.0]
        if not active:
            raise ConfigError(
                f"at step {step} no term of the objective has a weight", todo="Give one a constant weight"
            )
        return active
