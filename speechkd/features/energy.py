"""Frame energy: the L2 norm of the STFT magnitude (FastSpeech 2, section 2.3; the same STFT as the mel)."""

from __future__ import annotations

from torch import Tensor


def frame_energy(magnitude: Tensor) -> Tensor:
    """Energy of an STFT magnitude (..., frames, bins): (..., frames). The sum runs over bins, not over time."""
    return magnitude.square().sum(dim=-1).sqrt()
