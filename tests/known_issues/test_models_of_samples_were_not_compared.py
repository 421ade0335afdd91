"""An exported voice whose model makes samples was told to be no mel apart from torch: nothing had been compared."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext

import numpy as np

from speechkd.synthesis.engines.interface import Delivery, EngineName, FloatArray, Predicted
from speechkd.synthesis.export.compare import compare


class Constant:
    """Makes the same value of every sample."""

    name: EngineName = "onnx"
    controls = frozenset({"speed"})

    def __init__(self, value: float) -> None:
        self.value = value

    def seeded(self, seed: int) -> nullcontext[None]:
        return nullcontext()

    def predict(self, numbers: Sequence[int], controls: Delivery) -> Predicted:
        durations = np.ones(len(numbers), np.int64)
        return Predicted(len(numbers), durations, None, np.full(4 * len(numbers), self.value, np.float32))

    def vocode(self, mel: FloatArray) -> None:
        return None


def test_their_samples_are() -> None:
    found = compare(Constant(0.25), Constant(0.75), [[1, 2, 3]])
    assert found.samples_max == 0.5 and found.n_frames == 6
    told = " ".join(found.lines())
    assert "samples: differ by 0.5" in told and "mel" not in told
