"""The preliminary study: what is predicted, the noise (gradient) or the mel (generator), and in how many steps."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

import numpy as np

from recipes.tts.common.claims.claim import Claim, Evidence, Measured, Missing, need, systems

PAPER = "ProDiff"
KINDS = {"mel_l1": "mel L1", "mcd_db": "MCD"}
FEW = ("2", "4")
#: By kind of error: its mean by number of steps.
Errors = Mapping[str, Mapping[str, float]]
# An error half as large again as that of the whole chain is one that nobody would put up with.
_APART = 1.5
_FLAT = 0.10
_COMPARABLE = 0.25


def gradient_apart(evidence: Evidence) -> Measured:
    """The gradient-based model in few steps: worse and worse, and apart at 2 and 4."""
    found, other = (means(evidence, name) for name in ("gradient", "generator"))
    holds = all(
        all(row[few] > _APART * row[whole(row)] for few in FEW if few in row)
        and all(fewer >= more for fewer, more in pairwise(row.values()))
        for row in found.values()
    )
    return Measured(f"{shown(found)}: {verdict(found, other)}", holds)


def generator_flat(evidence: Evidence) -> Measured:
    """The generator-based model in few steps: within a tenth of the whole chain."""
    found = means(evidence, "generator")
    return Measured(f"{shown(found)}: {verdict(found, found)}", changed(found) <= _FLAT)


def few_steps(evidence: Evidence) -> Measured:
    """At 2 and 4 steps the generator-based model errs far less."""
    generator, gradient = (means(evidence, name) for name in ("generator", "gradient"))
    pairs = [(kind, n, generator[kind][n], gradient[kind][n]) for kind in KINDS for n in FEW if n in generator[kind]]
    shown = [f"{n} steps: {beside(kind, ours, other)}" for kind, n, ours, other in pairs]
    return Measured("; ".join(shown), all(_APART * ours < other for _, _, ours, other in pairs))


def many_steps(evidence: Evidence) -> Measured:
    """With all steps and new noise in each, as they were meant to speak, both err about as much."""
    generator, gradient = systems(evidence, "quality", "generator", "gradient")
    if not generator.get("mel_l1"):
        raise Missing("no utterance was said by all systems")
    pairs = {kind: (float(np.mean(generator[kind])), float(np.mean(gradient[kind]))) for kind in KINDS}
    shown = "; ".join(f"{KINDS[kind]}: {beside(kind, *pair)}" for kind, pair in pairs.items())
    return Measured(shown, all(other <= (1.0 + _COMPARABLE) * ours for ours, other in pairs.values()))


def beside(kind: str, generator: float, gradient: float) -> str:
    """The same error of both forms."""
    return f"generator {form(kind, generator)}, gradient {form(kind, gradient)}"


def means(evidence: Evidence, name: str) -> Errors:
    """By kind of error: its mean over utterances by number of steps, rising."""
    (rows,) = systems(evidence, "chains", name)
    steps = [str(each) for each in need(evidence, "chains", "steps")]
    return {kind: {n: float(np.mean(rows[n][kind])) for n in steps} for kind in KINDS}


def whole(row: Mapping[str, float]) -> str:
    """The number of steps of the whole chain."""
    return list(row)[-1]


def changed(found: Errors) -> float:
    """The largest change of an error from that of the whole chain, as a share of it."""
    return max(abs(value / row[whole(row)] - 1.0) for row in found.values() for value in row.values())


def verdict(found: Errors, other: Errors) -> str:
    """What few steps do to a model, in words. other: the errors of the model that it is compared with."""
    share = changed(found)
    broken = all(row[whole(row)] > _APART * other[kind][whole(row)] for kind, row in found.items())
    if broken:
        return "apart even in all steps: it has not learned enough"
    if share <= _FLAT:
        return "stays within 10 %"
    apart = all(row[few] > _APART * row[whole(row)] for row in found.values() for few in FEW if few in row)
    return "falls apart" if apart else f"changes by up to {share:.0%}"


def shown(found: Errors) -> str:
    """The errors by number of steps."""
    return "; ".join(
        f"{KINDS[kind]} {', '.join(form(kind, value) for value in row.values())} in {', '.join(row)} steps"
        for kind, row in found.items()
    )


def form(kind: str, value: float) -> str:
    """An error in its unit."""
    digits = f"{value:.3g}" if value >= 1000.0 else f"{value:.3f}" if kind == "mel_l1" else f"{value:.2f}"
    return digits if kind == "mel_l1" else f"{digits} dB"


PARAMETERISATION = (
    Claim("gradient_steps", PAPER, "Gradient-based (the noise is predicted): falls apart in few steps",
          "needs hundreds to thousands of iterations", "chains", gradient_apart),
    Claim("generator_steps", PAPER, "Generator-based (the mel is predicted): stays as good in few steps",
          "nearly flat (preliminary study, figures not at hand)", "chains", generator_flat),
    Claim("few_steps", PAPER, "In 2 and 4 steps generator-based is far better", "preliminary study", "chains",
          few_steps),
    Claim("many_steps", PAPER, "In all steps, with new noise in each, gradient-based is about as good",
          "preliminary study", "quality", many_steps),
)  # fmt: skip
