"""The moments of a distribution, such as that of F0 over voiced frames (FastSpeech 2, Ren et al. 2021, table 2)."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt

from speechkd.errors import DataError


@dataclass(frozen=True)
class Moments:
    """Of `count` values: mean and deviation in the values' own unit, skewness and excess kurtosis without one.

    A normal distribution has skewness 0 and excess kurtosis 0; the latter can be negative.
    """

    count: int
    mean: float
    deviation: float
    skewness: float
    excess_kurtosis: float

    def to_json(self) -> dict[str, float]:
        """The fields by name."""
        return asdict(self)


def moments(values: npt.ArrayLike) -> Moments:
    """The moments of values (N,), each a mean over all N: m_k = (1/N) Σ (x - mean)^k.

    deviation = sqrt(m_2), skewness = m_3 / m_2^1.5, excess kurtosis = m_4 / m_2² - 3. Raises DataError for values that
    are all equal, not finite, or fewer than two.
    """
    data = np.asarray(values, dtype=np.float64).reshape(-1)
    if data.size < 2 or not np.isfinite(data).all():
        raise DataError("a distribution has no moments", why=f"{data.size} values, {np.isfinite(data).sum()} finite")
    centred = data - data.mean()
    second = float(np.mean(centred**2))
    # Equal values leave rounding errors behind, of which higher moments would be made.
    if second <= (1e-12 * max(1.0, float(np.abs(data).max()))) ** 2:
        raise DataError("a distribution has no moments", why="all values are equal")
    third, fourth = float(np.mean(centred**3)), float(np.mean(centred**4))
    return Moments(data.size, float(data.mean()), second**0.5, third / second**1.5, fourth / second**2 - 3.0)
