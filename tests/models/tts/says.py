"""A stand-in network for tests of what surrounds a predictor."""

from __future__ import annotations

from torch import Tensor, nn


class Says(nn.Module):
    """A network that always gives the same answer."""

    def __init__(self, answer: Tensor) -> None:
        super().__init__()
        self.answer = answer

    def forward(self, *_: Tensor) -> Tensor:
        return self.answer
