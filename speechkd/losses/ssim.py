"""Structural similarity of two mels seen as pictures (Wang et al., IEEE TIP 2004), as ProDiff's teacher learns it."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

#: Added to decadic log mels, so that they are positive like the brightness of a picture.
OFFSET = 6.0
# The published constants, for pictures from 0 to 1. A mel spans about 0 to 7.5 here, so they damp less than they
# should: silence, which is flat, has a noisy similarity. Kept, because ProDiff's loss weights were found with them.
_C1, _C2 = 0.01**2, 0.03**2
_WINDOW, _DEVIATION = 11, 1.5


def ssim(first: Tensor, second: Tensor) -> Tensor:
    """Similarity at every point of pictures (B, F, M), of the same shape: 1 where they are the same.

    Windows are Gaussian, of 11 points and deviation 1.5, and see zeros beyond the edges. Computed in single precision
    whatever autocast says: a variance is a difference of large numbers.
    """
    with torch.autocast(first.device.type, enabled=False):
        return _ssim(first.float(), second.float())


def _ssim(first: Tensor, second: Tensor) -> Tensor:
    window = _window(first)

    def mean(picture: Tensor) -> Tensor:
        padding = _WINDOW // 2
        along = F.conv2d(picture.unsqueeze(1), window.view(1, 1, -1, 1), padding=(padding, 0))
        return F.conv2d(along, window.view(1, 1, 1, -1), padding=(0, padding)).squeeze(1)

    means = mean(first), mean(second)
    variances = mean(first * first) - means[0] ** 2, mean(second * second) - means[1] ** 2
    covariance = mean(first * second) - means[0] * means[1]
    similar = (2 * means[0] * means[1] + _C1) * (2 * covariance + _C2)
    made: Tensor = similar / ((means[0] ** 2 + means[1] ** 2 + _C1) * (variances[0] + variances[1] + _C2))
    return made


def masked_ssim_loss(made: Tensor, target: Tensor, mask: Tensor) -> Tensor:
    """1 - similarity, mean over the real frames of decadic log mels (B, F, M); mask: (B, F), True at real frames.

    Both are masked before they are compared: a window at the last frames must not see what lies in the padding.
    """
    valid = mask.unsqueeze(-1)
    pictures = ((each.float() + OFFSET).masked_fill(~valid, 0.0) for each in (made, target))
    lost = (1.0 - ssim(*pictures)).masked_fill(~valid, 0.0)
    return lost.sum() / (valid.sum() * made.shape[-1]).clamp(min=1)


def _window(like: Tensor) -> Tensor:
    # Made anew each time: a window that is kept belongs to one device and number format.
    places = torch.arange(_WINDOW, device=like.device, dtype=torch.float32) - _WINDOW // 2
    weights = torch.exp(-places.square() / (2 * _DEVIATION**2))
    return weights / weights.sum()
