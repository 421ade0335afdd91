"""What a classifier learns from a teacher's logits: KD, DKD and NKD, each in its parts.

Student z and teacher u are logits (B, K), the target t is (B,) (`classes.hard_target` of mixed labels). S = softmax(z),
T = softmax(u), at a temperature S(τ) = softmax(z / τ). A tilde is among the non-target classes: S̃_i = S_i / (1 - S_t),
i ≠ t. Every term is a mean over the batch and leads no gradient to the teacher. None contains the cross-entropy with
the labels, which keeps a weight of its own.
"""

from __future__ import annotations

import torch
from torch import Tensor

from speechkd.losses.classes import log_softmax_over, log_target, logsumexp_over, others, softmax_over, wide
from speechkd.losses.classifiers_config import DkdConfig, NkdConfig


def kd(student: Tensor, teacher: Tensor, temperature: float = 4.0) -> Tensor:
    """τ² KL(T(τ) ‖ S(τ)) (Hinton et al., 2015, arXiv 1503.02531, section 2), over all classes.

    τ² keeps the size of the gradient. Its gradient is that of the cross-entropy -τ² Σ_i T_i log S_i, which the code
    released with NKD uses under the same name.
    """
    wanted = wide(teacher.detach()) / temperature
    return temperature**2 * _divergence(wanted.log_softmax(dim=1), (wide(student) / temperature).log_softmax(dim=1))


def dkd_target(student: Tensor, teacher: Tensor, target: Tensor, temperature: float = 4.0) -> Tensor:
    """TCKD: τ² KL((T_t, 1 - T_t) ‖ (S_t, 1 - S_t)) at τ, target class against all others."""
    made = _target_or_not(wide(student) / temperature, target)
    return temperature**2 * _divergence(_target_or_not(wide(teacher.detach()) / temperature, target), made)


def dkd_non_target(student: Tensor, teacher: Tensor, target: Tensor, temperature: float = 4.0) -> Tensor:
    """NCKD: τ² KL(T̃(τ) ‖ S̃(τ)), among the non-target classes."""
    keep = others(target, student.shape[1])
    made = log_softmax_over(wide(student) / temperature, keep)
    return temperature**2 * _divergence(log_softmax_over(wide(teacher.detach()) / temperature, keep), made)


def dkd(student: Tensor, teacher: Tensor, target: Tensor, config: DkdConfig) -> Tensor:
    """α TCKD + β NCKD (Zhao et al., CVPR 2022, arXiv 2203.08679). Where plain distillation has, sample by sample,
    TCKD + (1 - T_t(τ)) NCKD, the second weight here does not fall with the teacher's certainty.
    """
    of_target = dkd_target(student, teacher, target, config.temperature)
    return config.target * of_target + config.non_target * dkd_non_target(student, teacher, target, config.temperature)


def nkd_target(student: Tensor, teacher: Tensor, target: Tensor) -> Tensor:
    """-T_t log S_t, always at temperature 1: a cross-entropy that believes a sample as much as the teacher does."""
    certainty = log_target(teacher.detach(), target).exp()
    return -(certainty * log_target(student, target)).mean()


def nkd_non_target(
    student: Tensor, teacher: Tensor, target: Tensor, temperature: float = 1.0, *, normalised: bool = True
) -> Tensor:
    """-λ² Σ_{i≠t} T̃_i(λ) log S̃_i(λ): no gradient reaches the student's target logit.

    Not normalised: -λ² Σ_{i≠t} T_i(λ) log S_i(λ), as plain distillation has it. That is (1 - T_t) times the sum above
    minus log(1 - S_t): hardly anything for a confident teacher, and a pull on the target.
    """
    keep = others(target, student.shape[1])
    made, wanted = wide(student) / temperature, wide(teacher.detach()) / temperature
    if normalised:
        products = softmax_over(wanted, keep) * log_softmax_over(made, keep)
    else:
        products = wanted.softmax(dim=1) * made.log_softmax(dim=1) * keep
    return -(temperature**2) * products.sum(dim=1).mean()


def nkd(student: Tensor, teacher: Tensor, target: Tensor, config: NkdConfig) -> Tensor:
    """-T_t log S_t - γ λ² Σ_{i≠t} T̃_i(λ) log S̃_i(λ) (Yang et al., ICCV 2023, arXiv 2303.13005)."""
    among = nkd_non_target(student, teacher, target, config.temperature, normalised=config.normalised)
    return nkd_target(student, teacher, target) + config.non_target * among


def _target_or_not(logits: Tensor, target: Tensor) -> Tensor:
    # log(1 - S_t) from the other logits: from S_t it would be -∞ as soon as S_t rounds to 1.
    rest = logsumexp_over(logits, others(target, logits.shape[1])) - logits.logsumexp(dim=1, keepdim=True)
    return torch.cat([log_target(logits, target)[:, None], rest], dim=1)


def _divergence(wanted: Tensor, made: Tensor) -> Tensor:
    """mean_b Σ_i p_i (log p_i - log q_i) of log-probabilities; where both are filled with 0 they add nothing."""
    return (wanted.exp() * (wanted - made)).sum(dim=1).mean()
