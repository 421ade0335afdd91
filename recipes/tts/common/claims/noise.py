"""Whether two systems differ by more than chance: both are measured on the same utterances, one by one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

# Standard errors of a mean difference: about 5 % of equal systems are further apart.
_ERRORS = 2.0


def compared(first: Sequence[float], second: Sequence[float]) -> int:
    """1 if the first values are larger than the second ones, utterance by utterance, -1 if smaller, 0 within noise.

    Noise: the mean difference is no more than twice its standard error. With one utterance nothing is known of it.
    """
    differences = np.asarray(first, dtype=np.float64) - np.asarray(second, dtype=np.float64)
    if len(differences) < 2:
        return 0
    error = float(differences.std(ddof=1)) / len(differences) ** 0.5
    mean = float(differences.mean())
    return 0 if abs(mean) <= _ERRORS * error else int(np.sign(mean))


def all_hold(*orders: int) -> bool | None:
    """A verdict of comparisons that should all be 1: no if one is -1, within the noise if one is 0."""
    if min(orders) < 0:
        return False
    return None if 0 in orders else True
