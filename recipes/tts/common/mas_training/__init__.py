"""Training the aligner of `speechkd.align.mas` on the corpus that it is to align."""

from __future__ import annotations

from recipes.tts.common.mas_training.train import train_aligner

__all__ = ["train_aligner"]
