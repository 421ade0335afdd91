"""The weak classifier of USKD (Yang et al., ICCV 2023, arXiv 2303.13005): one linear layer over a feature halfway.

It serves training alone. It stands beside the student, not in it, and so is in no exported model; the feature is read
with `speechkd.distill.taps`.
"""

from __future__ import annotations

from typing import Literal

from torch import Tensor, nn

Pooling = Literal["map", "class_token"]


def pooled(features: Tensor, pooling: Pooling) -> Tensor:
    """One vector (B, D) per picture: of a map (B, D, H, W) the mean over places, of tokens (B, N, D) the first.

    `map` is for CNNs and Swin (the last stage but one), `class_token` for ViT (after block L / 2, not normalised).
    ValueError for another number of axes.
    """
    n_axes = {"map": 4, "class_token": 3}[pooling]
    if features.ndim != n_axes:
        raise ValueError(f"{pooling}: features of {n_axes} axes are pooled, not of {features.ndim}")
    return features.mean(dim=(2, 3)) if pooling == "map" else features[:, 0]


class WeakHead(nn.Module):
    """w = W f + b of the pooled feature f. Its gradient goes on into the backbone, which is part of the method."""

    def __init__(self, channels: int, n_classes: int, pooling: Pooling) -> None:
        super().__init__()
        self.pooling = pooling
        self.classify = nn.Linear(channels, n_classes)

    def forward(self, features: Tensor) -> Tensor:
        """features: (B, D, H, W) or (B, N, D), as `pooled` takes them -> weak logits (B, K)."""
        logits: Tensor = self.classify(pooled(features, self.pooling))
        return logits
