"""What a row is made of."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

#: What the stages measured, by stage; `systems` says why a system is missing.
Evidence = Mapping[str, Any]


class Missing(Exception):
    """What a row needs was not measured; the message says why."""


@dataclass(frozen=True)
class Measured:
    """The figures in words, and whether they point where the paper's do; None: the difference is within the noise."""

    ours: str
    holds: bool | None


@dataclass(frozen=True)
class Claim:
    """A claim: its row's id, the paper, what it says, the paper's figure, and the stage that measures it.

    `scored`: the system whose own run measures it, in its stage `score`, where it is no stage of this recipe.
    """

    id: str
    paper: str
    says: str
    figure: str
    stage: str
    measure: Callable[[Evidence], Measured]
    scored: str = ""


@dataclass(frozen=True)
class Row:
    """A finished row of the table."""

    claim: Claim
    ours: str
    direction: str

    def cells(self, command: str) -> list[str]:
        """claim | the paper's figure | ours | same direction? | command."""
        return [self.claim.says, self.claim.figure, self.ours, self.direction, f"`{command}`"]


def row_of(claim: Claim, evidence: Evidence, cause: str = "") -> Row:
    """The row of a claim; `cause` is told where its direction does not hold."""
    try:
        measured = claim.measure(evidence)
    except Missing as missing:
        return Row(claim, f"not measured: {missing}", "")
    return Row(claim, measured.ours, _direction(measured.holds, cause))


def _direction(holds: bool | None, cause: str) -> str:
    if holds is None:
        return "within noise"
    if holds:
        return "yes"
    return f"**no**; likely cause: {cause}" if cause else "**no**"


def need(evidence: Evidence, *path: str) -> Any:
    """What stands at a path; Missing if there is nothing."""
    value: Any = evidence
    for name in path:
        value = value.get(name) if isinstance(value, Mapping) else None
        if value is None:
            raise Missing(f"{'.'.join(path)} is not there")
    return value


def systems(evidence: Evidence, stage: str, *names: str) -> list[Any]:
    """What a stage measured of each of these systems. Missing, with the reason, if one of them has no finished run."""
    for name in names:
        require(evidence, name)
    measured = need(evidence, stage).get("systems", {})
    for name in names:
        if name not in measured:
            raise Missing(f"the run of {name} has not what the stage {stage} reads")
    return [measured[name] for name in names]


def require(evidence: Evidence, *names: str) -> None:
    """Missing, with the reason, if one of these systems has no finished run."""
    for name in names:
        row = need(evidence, "systems").get(name, {"missing": f"there is no system {name}"})
        if "missing" in row:
            raise Missing(row["missing"])


def least(evidence: Evidence, stage: str, names: tuple[str, ...]) -> dict[str, Any]:
    """What a stage measured of those of these systems that are there; Missing if none is."""
    measured = need(evidence, stage).get("systems", {})
    found = {name: measured[name] for name in names if name in measured}
    if not found:
        for name in names:
            require(evidence, name)
        raise Missing(f"the stage {stage} measured none of {', '.join(names)}")
    return found


def listed(parts: Mapping[str, str]) -> str:
    """`name value; name value`."""
    return "; ".join(f"{name} {value}" for name, value in parts.items())
