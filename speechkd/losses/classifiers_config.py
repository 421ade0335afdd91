"""Weights and temperatures of the classifiers' losses, as published. Importing this module does not import torch.

The values of NKD, USKD and of the baselines beside them are those of the released configurations (yzd-v/cls_KD).
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from speechkd.config import Config


class DkdConfig(Config):
    """Decoupled distillation (Zhao et al., CVPR 2022, arXiv 2203.08679)."""

    target: float = Field(1.0, ge=0, description="weight α of the target-class part")
    non_target: float = Field(8.0, ge=0, description="weight β of the part among the other classes")
    temperature: float = Field(4.0, gt=0, description="of both parts")


class NkdConfig(Config):
    """Normalised distillation (Yang et al., ICCV 2023, arXiv 2303.13005)."""

    non_target: float = Field(1.5, ge=0, description="weight γ of the part among the other classes")
    temperature: float = Field(1.0, gt=0, description="λ, of the part among the other classes only")
    normalised: bool = Field(
        True, description="softmaxes among the other classes; false: raw, as in plain distillation"
    )


class RankingConfig(Config):
    """What USKD ranks the classes by. The defaults are the intended formula; `RELEASED_RANKING` is what was run."""

    scores: Literal["probabilities", "log_probabilities"] = Field(
        "probabilities", description="of the final logits: the released code adds log-probabilities to probabilities"
    )
    among: Literal["non_target", "all"] = Field(
        "non_target", description="who takes a rank: the released code ranks the target too, and then drops it"
    )


class UskdConfig(Config):
    """Self-distillation without a teacher (Yang et al., ICCV 2023, arXiv 2303.13005)."""

    target: float = Field(1.0, ge=0, description="weight α of the soft target")
    non_target: float = Field(0.1, ge=0, description="weight β of Zipf's labels")
    weak: float = Field(0.005, ge=0, description="weight μ of the weak head's own loss")
    smoothing: float = Field(0.1, ge=0, lt=1, description="label smoothing of the weak head")
    ranking: RankingConfig = Field(RankingConfig(), description="how Zipf's ranks are found")


RELEASED_RANKING = RankingConfig(scores="log_probabilities", among="all")

DKD_CIFAR = DkdConfig(target=1.0, non_target=8.0, temperature=4.0)
DKD_IMAGENET = DkdConfig(target=1.0, non_target=0.5, temperature=1.0)
NKD_IMAGENET_CNN = NkdConfig(non_target=1.5, temperature=1.0)
NKD_IMAGENET_VIT = NkdConfig(non_target=1.0, temperature=1.0)
#: γλ² is 31.5: in a short run with a large rate of learning it destroys the student.
NKD_CIFAR = NkdConfig(non_target=3.5, temperature=3.0)
USKD_IMAGENET = UskdConfig(target=1.0, non_target=0.1, weak=0.005)
USKD_CIFAR = UskdConfig(target=0.1, non_target=0.1, weak=0.1)
