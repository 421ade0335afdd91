"""Free speech that reads its text from front to back, and ends when it has: see `WindowConfig`."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from speechkd.models.tts.transformer_config import StopConfig, WindowConfig

_MORE_LIKELY_THAN_NOT = 0.5


class Window:
    """Where one utterance is in its text of T tokens, and which of them its next step may look at."""

    def __init__(self, config: WindowConfig, n_layers: int, n_tokens: int, device: torch.device) -> None:
        self.ahead, self.n_layers, self.n_tokens = config.ahead, n_layers, n_tokens
        self.held = sorted({layer % n_layers for layer in config.layers})
        self.index = torch.arange(n_tokens, device=device)
        self.place, self.stayed = 0, 1.0
        self.rows: list[Tensor] = []

    @property
    def at_end(self) -> bool:
        """Whether the last phone is reached: the end of the sentence, after it, may last no frame."""
        return self.place >= self.n_tokens - 2

    def open(self, last_only: bool) -> list[Tensor | None]:
        """What the next step may see, after those before it or alone: (S, T) for layers that are held, else None."""
        self.rows.append((self.index >= self.place) & (self.index <= self.place + self.ahead))
        rows = torch.stack(self.rows[-1:] if last_only else self.rows)
        return [rows if layer in self.held else None for layer in range(self.n_layers)]

    def move(self, attention: Tensor) -> None:
        """Go on, if the last step's attention (1, L, H, 1, T) did, in the mean of the heads that are held."""
        weights = attention[0, self.held, :, -1].mean(dim=(0, 1))
        beyond = weights[self.place + 1 :]
        if not len(beyond):
            return
        self.stayed *= 1.0 - float(beyond.sum())
        if int(weights.argmax()) > self.place or self.stayed < _MORE_LIKELY_THAN_NOT:
            self.place, self.stayed = self.place + 1 + int(beyond.argmax()), 1.0


class Ending:
    """Decides, step by step, whether an utterance has ended."""

    def __init__(self, config: StopConfig, window: Window | None) -> None:
        self.config, self.window = config, window
        self.lasted = 1.0

    def ends(self, logit: float) -> bool:
        """Whether a step with this logit is the last one.

        Without a window: when the stop token's probability passes the threshold. With one: when that of having stopped
        since the last phone was reached does, freed of the loss's weight w: p / (1 - p) = e^logit / w.
        """
        if self.window is None:
            return _sigmoid(logit) > self.config.threshold
        if self.window.at_end:
            self.lasted *= 1.0 - _sigmoid(logit - math.log(self.config.positive_weight))
        return 1.0 - self.lasted > self.config.threshold


def _sigmoid(x: float) -> float:
    return 1.0 / (1.0 + math.exp(-x)) if x >= 0 else math.exp(x) / (1.0 + math.exp(x))
