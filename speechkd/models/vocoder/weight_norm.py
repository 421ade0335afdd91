"""Weight norm for training a generator, and its generator's folder without it.

Training sees w = g · v / |v| (Salimans and Kingma, NeurIPS 2016); what is saved is w alone, under the names of the
published checkpoints, so that speaking costs nothing more.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from torch import Tensor, nn
from torch.nn.utils import parametrize
from torch.nn.utils.parametrizations import weight_norm

from speechkd.models.vocoder.checkpoint import fold_weight_norm

M = TypeVar("M", bound=nn.Module)


def with_weight_norm(module: M) -> M:
    """Put weight norm on every convolution of a module, in place; it computes what it did before."""
    for part in list(module.modules()):
        if isinstance(part, nn.Conv1d | nn.ConvTranspose1d) and not parametrize.is_parametrized(part):
            weight_norm(part)
    return module


def folded(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The state of a module with weight norm as that of the same module without; DataError for values not finite."""
    return fold_weight_norm(state, "the trained generator")
