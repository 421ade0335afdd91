"""The one logarithm of F0 in the toolkit: the natural one. Contours, statistics, bins and the model all call these.

Two bases in one chain (the logarithm to base 2 here, the natural one there) scale every contour by ln 2 without an
error message.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, overload

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from torch import Tensor

Array = npt.NDArray[np.floating]

LEAST_HZ = 1e-3  # so that a predicted 0 Hz stays finite; no voice comes near it


@overload
def log_hz(f0_hz: Array) -> Array: ...
@overload
def log_hz(f0_hz: Tensor) -> Tensor: ...
def log_hz(f0_hz: Any) -> Any:
    """Natural logarithm of F0 in Hz, of an array or a tensor of any shape."""
    return np.log(np.maximum(f0_hz, LEAST_HZ)) if isinstance(f0_hz, np.ndarray) else f0_hz.clamp(min=LEAST_HZ).log()


@overload
def hz_of_log(log_f0: Array) -> Array: ...
@overload
def hz_of_log(log_f0: Tensor) -> Tensor: ...
def hz_of_log(log_f0: Any) -> Any:
    """F0 in Hz of its natural logarithm: the inverse of `log_hz`."""
    return np.exp(log_f0) if isinstance(log_f0, np.ndarray) else log_f0.exp()
