"""How sharp a mel spectrogram is: the mean of several possible ones is blurred, and so is what is learnt from it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from speechkd.errors import DataError


def laplacian_sharpness(mel: npt.ArrayLike) -> float:
    """Variance of the discrete Laplacian of a mel (frames, n_mels); larger is sharper.

    L[f, k] = m[f-1, k] + m[f+1, k] + m[f, k-1] + m[f, k+1] - 4 m[f, k], at the points that have all four neighbours.
    Raises DataError where there is none.
    """
    image = np.asarray(mel, dtype=np.float64)
    if image.ndim != 2 or min(image.shape) < 3:
        raise DataError("a mel has no inner points", why=f"its shape is {image.shape}, at least 3 by 3 is needed")
    inner = image[1:-1, 1:-1]
    around = image[:-2, 1:-1] + image[2:, 1:-1] + image[1:-1, :-2] + image[1:-1, 2:]
    return float(np.var(around - 4.0 * inner))
