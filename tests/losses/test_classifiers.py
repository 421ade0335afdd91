"""KD, DKD and NKD against loops in plain numbers, their identities, and the traps of their released code."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from speechkd.distill.objective import Objective, Term, TermSpec
from speechkd.losses.classes import hard_target, label_smoothing, smoothed
from speechkd.losses.classifiers import (
    dkd,
    dkd_non_target,
    dkd_target,
    kd,
    nkd,
    nkd_non_target,
    nkd_target,
)
from speechkd.losses.classifiers_config import DKD_CIFAR, NKD_CIFAR, NKD_IMAGENET_CNN, DkdConfig, NkdConfig

TEMPERATURES = [1.0, 3.0]
Loss = Callable[[Tensor, Tensor, Tensor], Tensor]
LOSSES: dict[str, Loss] = {
    "kd": lambda z, u, t: kd(z, u, 3.0),
    "dkd": lambda z, u, t: dkd(z, u, t, DKD_CIFAR),
    "dkd_target": lambda z, u, t: dkd_target(z, u, t, 3.0),
    "dkd_non_target": lambda z, u, t: dkd_non_target(z, u, t, 3.0),
    "nkd": lambda z, u, t: nkd(z, u, t, NKD_CIFAR),
    "nkd_target": nkd_target,
    "nkd_non_target": lambda z, u, t: nkd_non_target(z, u, t, 3.0),
    "raw_non_target": lambda z, u, t: nkd_non_target(z, u, t, 3.0, normalised=False),
}
every_loss = pytest.mark.parametrize("name", LOSSES)


def drawn(n_rows: int = 6, n_classes: int = 7, seed: int = 1) -> tuple[Tensor, Tensor, Tensor]:
    """Student, teacher and target."""
    generator = torch.Generator().manual_seed(seed)
    logits = 2 * torch.randn(2, n_rows, n_classes, generator=generator, dtype=torch.float64)
    return logits[0], logits[1], torch.randint(n_classes, (n_rows,), generator=generator)


def probabilities(logits: list[float], temperature: float) -> list[float]:
    powers = [math.exp(z / temperature) for z in logits]
    return [power / sum(powers) for power in powers]


def divergence(p: list[float], q: list[float]) -> float:
    return sum(a * math.log(a / b) for a, b in zip(p, q, strict=True))


def row_by_row(batch: tuple[Tensor, Tensor, Tensor], value: Callable[[list[float], list[float], int], float]) -> float:
    rows = [value(*row) for row in zip(*(each.tolist() for each in batch), strict=True)]
    return sum(rows) / len(rows)


def without(p: list[float], target: int) -> list[float]:
    """Renormalised, by division."""
    return [each / (1 - p[target]) for i, each in enumerate(p) if i != target]


@pytest.mark.parametrize("temperature", TEMPERATURES)
def test_kd_is_the_divergence_that_torch_computes(temperature: float) -> None:
    student, teacher, _ = drawn()
    logs = [(logits / temperature).log_softmax(dim=1) for logits in (student, teacher)]
    expected = temperature**2 * F.kl_div(*logs, reduction="batchmean", log_target=True)
    torch.testing.assert_close(kd(student, teacher, temperature), expected)
    assert kd(teacher, teacher, temperature).item() == pytest.approx(0, abs=1e-12)


def test_kd_has_the_gradient_of_the_released_cross_entropy() -> None:
    student, teacher, _ = drawn()
    student.requires_grad_()
    cross_entropy = 9 * F.cross_entropy(student / 3, (teacher / 3).softmax(dim=1))
    (expected,) = torch.autograd.grad(cross_entropy, student)
    (found,) = torch.autograd.grad(kd(student, teacher, 3.0), student)
    torch.testing.assert_close(found, expected)


def test_the_square_of_the_temperature_keeps_the_size_of_the_gradient() -> None:
    # For a large τ it tends to (z - mean z - u + mean u) / K, whatever τ is (Hinton et al., section 2.1).
    student, teacher, _ = drawn()
    student.requires_grad_()
    apart = (student - teacher).detach()
    expected = (apart - apart.mean(dim=1, keepdim=True)) / student.shape[1] / len(student)
    for temperature in (1e3, 1e4):
        (found,) = torch.autograd.grad(kd(student, teacher, temperature), student)
        torch.testing.assert_close(found, expected, atol=1e-3, rtol=0)


@pytest.mark.parametrize("temperature", TEMPERATURES)
def test_the_parts_of_dkd_by_loops(temperature: float) -> None:
    batch = drawn()

    def of_target(z: list[float], u: list[float], t: int) -> float:
        made, wanted = probabilities(z, temperature)[t], probabilities(u, temperature)[t]
        return temperature**2 * divergence([wanted, 1 - wanted], [made, 1 - made])

    def among(z: list[float], u: list[float], t: int) -> float:
        made, wanted = (without(probabilities(each, temperature), t) for each in (z, u))
        return temperature**2 * divergence(wanted, made)

    first, second = row_by_row(batch, of_target), row_by_row(batch, among)
    assert dkd_target(*batch, temperature).item() == pytest.approx(first)
    assert dkd_non_target(*batch, temperature).item() == pytest.approx(second)
    config = DkdConfig(target=0.7, non_target=2.0, temperature=temperature)
    assert dkd(*batch, config).item() == pytest.approx(0.7 * first + 2.0 * second)


@pytest.mark.parametrize("temperature", TEMPERATURES)
def test_kd_is_tckd_and_what_the_teacher_leaves_of_nckd(temperature: float) -> None:
    for student, teacher, target in zip(*drawn(), strict=True):
        row = student[None], teacher[None], target[None]
        left = 1 - (teacher / temperature).softmax(dim=0)[target]
        parts = dkd_target(*row, temperature) + left * dkd_non_target(*row, temperature)
        torch.testing.assert_close(kd(row[0], row[1], temperature), parts)


@pytest.mark.parametrize("normalised", [True, False])
@pytest.mark.parametrize("temperature", TEMPERATURES)
def test_nkd_by_loops(temperature: float, normalised: bool) -> None:
    batch = drawn()

    def value(z: list[float], u: list[float], t: int) -> float:
        made, wanted = probabilities(z, temperature), probabilities(u, temperature)
        if normalised:
            pairs = list(zip(without(wanted, t), without(made, t), strict=True))
        else:
            pairs = [(wanted[i], made[i]) for i in range(len(z)) if i != t]
        among = -(temperature**2) * sum(a * math.log(b) for a, b in pairs)
        return -probabilities(u, 1.0)[t] * math.log(probabilities(z, 1.0)[t]) + 1.7 * among

    config = NkdConfig(non_target=1.7, temperature=temperature, normalised=normalised)
    assert nkd(*batch, config).item() == pytest.approx(row_by_row(batch, value))


def test_target_and_raw_part_are_the_cross_entropy_with_the_teacher() -> None:
    student, teacher, target = drawn()
    whole = nkd_target(student, teacher, target) + nkd_non_target(student, teacher, target, normalised=False)
    torch.testing.assert_close(whole, F.cross_entropy(student, teacher.softmax(dim=1)))


def test_the_raw_part_is_a_share_of_the_normalised_one_and_a_pull_on_the_target() -> None:
    for student, teacher, target in zip(*drawn(), strict=True):
        row = student[None], teacher[None], target[None]
        left, wrong = (1 - each.softmax(dim=0)[target] for each in (teacher, student))
        expected = left * (nkd_non_target(*row) - wrong.log())
        torch.testing.assert_close(nkd_non_target(*row, normalised=False), expected)


@pytest.mark.parametrize("temperature", TEMPERATURES)
def test_the_normalised_part_has_the_gradient_of_nckd(temperature: float) -> None:
    student, teacher, target = drawn()
    student.requires_grad_()
    (expected,) = torch.autograd.grad(dkd_non_target(student, teacher, target, temperature), student)
    (found,) = torch.autograd.grad(nkd_non_target(student, teacher, target, temperature), student)
    torch.testing.assert_close(found, expected)


def test_a_teacher_of_smoothed_labels_teaches_label_smoothing() -> None:
    student, _, target = drawn()
    teacher = smoothed(target, 7, 0.1).double().log()
    raw = NkdConfig(non_target=1.0, temperature=1.0, normalised=False)
    torch.testing.assert_close(nkd(student, teacher, target, raw), label_smoothing(student, target).double())


def test_with_an_even_teacher_label_smoothing_is_cross_entropy_and_kd() -> None:
    student, _, target = drawn()
    even = kd(student, torch.zeros_like(student), 1.0) + math.log(7)
    expected = 0.9 * F.cross_entropy(student, target) + 0.1 * even
    torch.testing.assert_close(label_smoothing(student, target).double(), expected)


def test_a_teacher_that_is_sure_gives_the_plain_cross_entropy_as_target_term() -> None:
    student, _, target = drawn()
    sure = 200.0 * F.one_hot(target, 7).double()
    torch.testing.assert_close(nkd_target(student, sure, target), F.cross_entropy(student, target))


@every_loss
def test_only_the_student_gets_a_gradient(name: str) -> None:
    student, teacher, target = drawn()
    student.requires_grad_(), teacher.requires_grad_()
    LOSSES[name](student, teacher, target).backward()
    assert teacher.grad is None
    assert student.grad is not None and student.grad.any()


@every_loss
def test_gradients_are_those_of_differences(name: str) -> None:
    student, teacher, target = drawn(n_rows=2, n_classes=4)
    assert torch.autograd.gradcheck(lambda z: LOSSES[name](z, teacher, target), student.requires_grad_())


@every_loss
def test_the_order_of_classes_is_of_no_consequence(name: str) -> None:
    student, teacher, target = drawn()
    order = torch.randperm(7, generator=torch.Generator().manual_seed(3))
    moved = order.argsort()[target]
    torch.testing.assert_close(
        LOSSES[name](student[:, order], teacher[:, order], moved), LOSSES[name](student, teacher, target)
    )


@every_loss
def test_a_constant_added_to_logits_is_of_no_consequence(name: str) -> None:
    student, teacher, target = drawn()
    torch.testing.assert_close(LOSSES[name](student + 5, teacher - 3, target), LOSSES[name](student, teacher, target))


@every_loss
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_computed_in_single(name: str, dtype: torch.dtype) -> None:
    student, teacher, target = drawn(n_classes=1000)
    student, teacher = student.to(dtype), teacher.to(dtype)
    found = LOSSES[name](student, teacher, target)
    assert found.dtype == torch.float32
    expected = LOSSES[name](student.double(), teacher.double(), target)
    torch.testing.assert_close(found.double(), expected, atol=1e-5, rtol=1e-5)


@every_loss
def test_autocast_changes_nothing(name: str) -> None:
    student, teacher, target = (each.float() if each.is_floating_point() else each for each in drawn())
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = LOSSES[name](student, teacher, target)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, LOSSES[name](student, teacher, target))


def test_of_two_classes_only_the_target_says_anything() -> None:
    student, teacher, target = drawn(n_classes=2)
    assert dkd_non_target(student, teacher, target, 3.0).item() == 0
    assert nkd_non_target(student, teacher, target, 3.0).item() == 0
    torch.testing.assert_close(dkd_target(student, teacher, target, 3.0), kd(student, teacher, 3.0))


def test_trap_1_a_mask_that_keeps_the_target_makes_plain_kd() -> None:
    student, teacher, target = drawn()
    found = nkd_non_target(student, teacher, target)
    left = [[i for i in range(7) if i != t] for t in target.tolist()]
    columns = [torch.stack([row[keep] for row, keep in zip(each, left, strict=True)]) for each in (student, teacher)]
    assert columns[0].shape == (6, 6)
    torch.testing.assert_close(found, F.cross_entropy(columns[0], columns[1].softmax(dim=1)))
    assert abs(found - F.cross_entropy(student, teacher.softmax(dim=1))) > 0.05


@pytest.mark.parametrize("temperature", TEMPERATURES)
@pytest.mark.parametrize("part", [nkd_non_target, dkd_non_target])
def test_trap_1_the_target_s_logit_gets_no_gradient_at_all(part: Callable[..., Tensor], temperature: float) -> None:
    student, teacher, target = drawn()
    part(student.requires_grad_(), teacher, target, temperature).backward()
    assert student.grad is not None
    assert not student.grad.gather(1, target[:, None]).any()
    assert (student.grad != 0).sum(dim=1).tolist() == [6] * 6


def test_trap_1_a_target_is_nothing_to_the_other_classes() -> None:
    student, teacher, target = drawn()
    other = student.scatter(1, target[:, None], 30.0), teacher.scatter(1, target[:, None], -30.0)
    torch.testing.assert_close(nkd_non_target(*other, target), nkd_non_target(student, teacher, target))


def test_trap_9_the_teacher_s_certainty_weighs_the_target_term() -> None:
    student, teacher, target = drawn()
    each = F.cross_entropy(student, target, reduction="none") * teacher.softmax(dim=1).gather(1, target[:, None])[:, 0]
    torch.testing.assert_close(nkd_target(student, teacher, target), each.mean())
    assert abs(nkd_target(student, teacher, target) - F.cross_entropy(student, target)) > 0.1


@every_loss
def test_trap_10_a_student_and_a_teacher_without_doubt_make_no_nan(name: str) -> None:
    target = torch.tensor([0, 1])
    logits = torch.tensor([[200.0, 1.0, -3.0], [-50.0, 300.0, 2.0]])
    assert (logits.softmax(dim=1).gather(1, target[:, None]) == 1).all()
    for student in (logits, -logits):
        student = student.clone().requires_grad_()
        loss = LOSSES[name](student, logits, target)
        loss.backward()
        assert loss.isfinite() and student.grad is not None and student.grad.isfinite().all()


def test_trap_10_what_is_left_of_a_sure_network_is_still_compared() -> None:
    target = torch.tensor([0])
    student, teacher = torch.tensor([[100.0, 1.0, 0.0]]), torch.tensor([[100.0, 0.0, 1.0]])
    expected = divergence(probabilities([0.0, 1.0], 1.0), probabilities([1.0, 0.0], 1.0))
    assert dkd_non_target(student, teacher, target, 1.0).item() == pytest.approx(expected)


def test_the_temperature_is_that_of_the_other_classes_only() -> None:
    batch = drawn()
    cold, warm = (nkd(*batch, NkdConfig(non_target=0.0, temperature=temperature)) for temperature in (1.0, 5.0))
    torch.testing.assert_close(cold, nkd_target(*batch))
    torch.testing.assert_close(warm, nkd_target(*batch))


def test_of_mixed_labels_the_largest_share_is_the_target() -> None:
    student, teacher, _ = drawn(n_rows=2, n_classes=3)
    mixed = torch.tensor([[0.3, 0.7, 0.0], [0.6, 0.0, 0.4]])
    found = nkd(student, teacher, hard_target(mixed), NKD_IMAGENET_CNN)
    torch.testing.assert_close(found, nkd(student, teacher, torch.tensor([1, 0]), NKD_IMAGENET_CNN))


def test_the_arms_of_a_study_are_weights_of_the_same_terms() -> None:
    student, teacher, target = drawn()

    def arm(weight: float, normalised: bool) -> float:
        reads = {"outputs": ("logits",), "targets": ("logits",), "batch": ("target",)}
        terms = [
            Term(TermSpec("target", "-T_t log S_t", **reads), lambda o, t, b: nkd_target(o["logits"], t["logits"], b)),
            Term(
                TermSpec("rest", "-Σ T_i log S_i", weight=weight, **reads),
                lambda o, t, b: nkd_non_target(o["logits"], t["logits"], b, normalised=normalised),
            ),
        ]
        return float(Objective(terms)({"logits": student}, {"logits": teacher}, target, step=1)[0])

    assert arm(0.0, normalised=True) == pytest.approx(nkd_target(student, teacher, target).item())
    assert arm(1.0, normalised=False) == pytest.approx(F.cross_entropy(student, teacher.softmax(dim=1)).item())
    assert arm(1.5, normalised=True) == pytest.approx(nkd(student, teacher, target, NKD_IMAGENET_CNN).item())
