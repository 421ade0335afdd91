"""Labels, masks and label smoothing against loops and against torch."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional as F

from speechkd.losses.classes import (
    hard_target,
    label_smoothing,
    log_softmax_over,
    logsumexp_over,
    others,
    shares,
    smoothed,
    soft_cross_entropy,
    softmax_over,
)

TARGET = torch.tensor([2, 0, 4, 2])


def drawn(n_classes: int = 5, seed: int = 1) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return 2 * torch.randn(len(TARGET), n_classes, generator=generator, dtype=torch.float64)


def test_the_mask_has_all_classes_but_the_target() -> None:
    keep = others(TARGET, 5)
    assert keep.sum(dim=1).tolist() == [4, 4, 4, 4]
    assert [(~row).nonzero().item() for row in keep] == TARGET.tolist()


@pytest.mark.parametrize("label", [-100, 5])
def test_a_label_of_no_class_is_refused(label: int) -> None:
    with pytest.raises(RuntimeError, match="Class values"):
        others(torch.tensor([0, label]), 5)


def test_a_masked_softmax_is_the_softmax_of_what_is_left() -> None:
    logits, keep = drawn(), others(TARGET, 5)
    found = log_softmax_over(logits, keep)
    for row, target in enumerate(TARGET.tolist()):
        left = [i for i in range(5) if i != target]
        torch.testing.assert_close(found[row, left], logits[row, left].log_softmax(dim=0))
        assert found[row, target] == 0
        expected = math.log(sum(math.exp(logits[row, i]) for i in left))
        assert logsumexp_over(logits, keep)[row].item() == pytest.approx(expected)


def test_dropping_the_target_s_logit_is_renormalising_the_probabilities() -> None:
    logits, keep = drawn(), others(TARGET, 5)
    probabilities = logits.softmax(dim=1)
    certain = probabilities.gather(1, TARGET[:, None])
    torch.testing.assert_close(softmax_over(logits, keep), probabilities * keep / (1 - certain), atol=1e-12, rtol=0)
    torch.testing.assert_close(softmax_over(logits, keep).sum(dim=1), torch.ones(4, dtype=torch.float64))


def test_a_row_of_which_nothing_is_left_is_zero_with_a_gradient_of_zero() -> None:
    logits = drawn().requires_grad_()
    keep = others(TARGET, 5)
    keep[1] = False
    found = log_softmax_over(logits, keep)
    assert not found[1].any() and not softmax_over(logits, keep)[1].any()
    (gradient,) = torch.autograd.grad(found.square().sum(), logits)
    assert gradient.isfinite().all() and not gradient[1].any() and gradient[0].any()


def test_labels_of_either_form_are_the_same() -> None:
    one_hot = F.one_hot(TARGET, 5).float()
    assert torch.equal(shares(TARGET, 5), one_hot)
    assert torch.equal(shares(one_hot, 5), one_hot)
    assert torch.equal(hard_target(one_hot), TARGET) and torch.equal(hard_target(TARGET), TARGET)


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.5])
def test_label_smoothing_is_torch_s(smoothing: float) -> None:
    logits = drawn()
    expected = F.cross_entropy(logits, TARGET, label_smoothing=smoothing)
    torch.testing.assert_close(label_smoothing(logits, TARGET, smoothing), expected, atol=1e-7, rtol=1e-6)
    mixed = torch.tensor([[0.7, 0.3, 0, 0, 0]], dtype=torch.float64).expand(4, -1)
    expected = F.cross_entropy(logits, mixed, label_smoothing=smoothing)
    torch.testing.assert_close(label_smoothing(logits, mixed, smoothing), expected)


def test_smoothed_labels_by_hand() -> None:
    expected = [[0.925, 0.025, 0.025, 0.025], [0.575, 0.375, 0.025, 0.025]]
    torch.testing.assert_close(smoothed(torch.tensor([0]), 4, 0.1), torch.tensor(expected[:1]))
    mixed = torch.tensor([[11 / 18, 7 / 18, 0, 0]])
    torch.testing.assert_close(smoothed(mixed, 4, 0.1), torch.tensor(expected[1:]))


def test_labels_give_no_gradient() -> None:
    logits, wanted = drawn().requires_grad_(), drawn(seed=2).softmax(dim=1).requires_grad_()
    soft_cross_entropy(logits, wanted).backward()
    assert wanted.grad is None
    expected = (logits.detach().softmax(dim=1) - wanted.detach()) / len(logits)
    torch.testing.assert_close(logits.grad, expected)
