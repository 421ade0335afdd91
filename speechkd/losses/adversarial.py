"""Least-squares adversarial losses (LSGAN: Mao et al., ICCV 2017), for one discriminator or several.

A discriminator's verdict is a tensor of any shape, near 1 where it takes the input for real and near 0 where not; a
list of verdicts comes from several discriminators, whose losses are added.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

Verdicts = Sequence[Tensor]


def generator_loss(made: Verdicts) -> Tensor:
    """Σ_k mean (D_k(x̂) - 1)²: what the generator pays for being found out."""
    return torch.stack([(verdict.float() - 1.0).square().mean() for verdict in made]).sum()


def discriminator_loss(real: Verdicts, made: Verdicts) -> Tensor:
    """Σ_k mean (D_k(x) - 1)² + mean D_k(x̂)²: what the discriminators pay for being fooled."""
    pairs = zip(real, made, strict=True)
    return torch.stack([(r.float() - 1.0).square().mean() + m.float().square().mean() for r, m in pairs]).sum()


def feature_matching_loss(real: Sequence[Verdicts], made: Sequence[Verdicts]) -> Tensor:
    """Σ_k Σ_i mean |D_k^i(x) - D_k^i(x̂)| over the layers i of each discriminator (MelGAN: Kumar et al. 2019).

    real, made: for each discriminator the outputs of its layers. The real ones are targets: nothing flows into them.
    """
    terms = [
        (r.detach().float() - m.float()).abs().mean()
        for real_layers, made_layers in zip(real, made, strict=True)
        for r, m in zip(real_layers, made_layers, strict=True)
    ]
    return torch.stack(terms).sum()
