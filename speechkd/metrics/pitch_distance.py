"""How far two pitch contours are apart when the best timing is granted (FastSpeech 2, Ren et al. 2021, table 2)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from speechkd.errors import DataError
from speechkd.metrics.dtw import warping_path


def pitch_dtw_hz(first: npt.ArrayLike, second: npt.ArrayLike) -> float:
    """Mean |ΔF0| in Hz per step of the DTW path through two contours (N,) and (M,), of which voiced frames count.

    F0 in Hz, 0 where unvoiced; the path is the one with the least sum of |ΔF0|. Raises DataError for a contour without
    a voiced frame.
    """
    voiced = [np.asarray(each, dtype=np.float64) for each in (first, second)]
    voiced = [each[each > 0] for each in voiced]
    if not all(map(len, voiced)):
        raise DataError("contours cannot be compared", why="one of them has no voiced frame")
    cost = np.abs(voiced[0][:, None] - voiced[1][None])
    i, j = warping_path(cost)
    return float(cost[i, j].mean())
