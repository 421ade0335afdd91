"""An aligner that is trained on the corpus itself: phones are symbols without any known sound.

Learned from what every path through the text has in common (forward sum, as in connectionist temporal classification,
Graves et al. 2006, and in the alignment framework of Badlani et al. 2021, arXiv 2108.10447), then sharpened on the best
path. `recipes.tts.common.mas_training.train_aligner` trains it; `MasAligner` aligns with it.
"""

from __future__ import annotations

from speechkd.align.mas.aligner import MasAligner
from speechkd.align.mas.search import best_path, forward_sum, monotonic_durations

__all__ = ["MasAligner", "best_path", "forward_sum", "monotonic_durations"]
