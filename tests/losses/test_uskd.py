"""USKD's parts against loops in plain numbers, and the traps of its released code."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from speechkd.losses.classes import label_smoothing, others
from speechkd.losses.classifiers_config import RELEASED_RANKING, USKD_CIFAR, RankingConfig, UskdConfig
from speechkd.losses.uskd import (
    Targets,
    class_scores,
    soft_targets,
    uskd,
    uskd_non_target,
    uskd_target,
    zipf_labels,
)

INTENDED = RankingConfig()
LOGS = RankingConfig(scores="log_probabilities")
ALL = RankingConfig(among="all")
every_ranking = pytest.mark.parametrize(
    "config", [INTENDED, LOGS, ALL, RELEASED_RANKING], ids=["intended", "logs", "all", "released"]
)
either_label = pytest.mark.parametrize("mixed", [False, True])


def drawn(n_rows: int = 6, n_classes: int = 7, seed: int = 1) -> tuple[Tensor, Tensor, Tensor]:
    """Final logits, weak logits, classes."""
    generator = torch.Generator().manual_seed(seed)
    logits = 2 * torch.randn(2, n_rows, n_classes, generator=generator, dtype=torch.float64)
    return logits[0], logits[1], torch.randint(n_classes, (n_rows,), generator=generator)


def mix(target: Tensor, n_classes: int, share: float = 0.7) -> Tensor:
    """Each picture with the next one, as mixup does."""
    one_hot = F.one_hot(target, n_classes).double()
    return share * one_hot + (1 - share) * one_hot.roll(1, dims=0)


def labels(target: Tensor, n_classes: int, mixed: bool) -> Tensor:
    return mix(target, n_classes) if mixed else target


def softmax(row: list[float]) -> list[float]:
    powers = [math.exp(z) for z in row]
    return [power / sum(powers) for power in powers]


def scores_by_hand(z: list[float], w: list[float], taken: list[int], config: RankingConfig) -> dict[int, float]:
    """R of every class that is ranked, with the released code's guard of 1e-6 in all denominators."""
    made, weak = softmax(z), softmax(w)
    if config.scores == "log_probabilities":
        made = [math.log(each) for each in made]
    left = [1 - sum(each[t] for t in taken) + 1e-6 for each in (weak, made)]
    ranked = [i for i in range(len(z)) if config.among == "all" or i not in taken]
    return {i: weak[i] / left[0] + made[i] / left[1] for i in ranked}


def zipf_by_hand(scores: dict[int, float], taken: list[int]) -> dict[int, float]:
    order = sorted(scores, key=lambda i: -scores[i])
    shares = {i: 1 / rank for rank, i in enumerate(order, start=1) if i not in taken}
    return {i: share / sum(shares.values()) for i, share in shares.items()}


def non_target_by_hand(z: list[float], w: list[float], taken: list[int], config: RankingConfig) -> float:
    wanted = zipf_by_hand(scores_by_hand(z, w, taken, config), taken)
    made = softmax(z)
    rest = sum(made[i] for i in range(len(z)) if i not in taken)
    return -sum(share * math.log(made[i] / rest) for i, share in wanted.items())


def taken_in(target: Tensor, n_classes: int, mixed: bool) -> list[list[int]]:
    rows = mix(target, n_classes) if mixed else F.one_hot(target, n_classes)
    return [[i for i, share in enumerate(row.tolist()) if share > 0] for row in rows]


@every_ranking
@either_label
def test_zipf_s_part_by_loops(config: RankingConfig, mixed: bool) -> None:
    logits, weak, target = drawn()
    rows = zip(logits.tolist(), weak.tolist(), taken_in(target, 7, mixed), strict=True)
    expected = sum(non_target_by_hand(*row, config) for row in rows) / len(target)
    found = uskd_non_target(logits, weak, labels(target, 7, mixed), config)
    assert found.item() == pytest.approx(expected, rel=1e-6)


def test_the_soft_target_by_loops() -> None:
    logits, _, target = drawn()
    certain = [softmax(row)[t] for row, t in zip(logits.tolist(), target.tolist(), strict=True)]
    mean = sum(p * p for p in certain) / len(certain)
    expected = -sum((p * p + 1 - mean) * math.log(p) for p in certain) / len(certain)
    assert uskd_target(logits, target).item() == pytest.approx(expected)


def test_the_soft_target_of_mixed_pictures_by_loops() -> None:
    logits, _, target = drawn()
    mixed = mix(target, 7)
    rows = [softmax(row) for row in logits.tolist()]
    columns = [sorted(range(7), key=lambda i: -row[i])[:2] for row in mixed.tolist()]
    expected = 0.0
    for column in range(2):
        known = [
            (row[taken[column]], shares[taken[column]])
            for row, taken, shares in zip(rows, columns, mixed.tolist(), strict=True)
            if shares[taken[column]] > 0
        ]
        mean = sum(p * p for p, _ in known) / len(known)
        expected -= sum((p * p + share - mean) * math.log(p) for p, share in known) / 6
    assert uskd_target(logits, mixed).item() == pytest.approx(expected)


def test_soft_targets_are_one_on_average_and_more_where_the_student_is_sure() -> None:
    logits, _, target = drawn(n_rows=40)
    found = soft_targets(logits, Targets.of(target))[:, 0]
    assert found.mean().item() == pytest.approx(1)
    certain = logits.softmax(dim=1).gather(1, target[:, None])[:, 0]
    assert torch.equal(found.argsort(), certain.argsort())


def test_of_equal_samples_the_soft_target_is_the_cross_entropy() -> None:
    logits, _, target = drawn()
    logits, target = logits[:1].expand(6, -1), target[:1].expand(6)
    torch.testing.assert_close(uskd_target(logits, target), F.cross_entropy(logits, target))


def test_a_share_of_nothing_is_no_target() -> None:
    logits, weak, target = drawn()
    one_hot = F.one_hot(target, 7).double()
    torch.testing.assert_close(uskd_target(logits, one_hot), uskd_target(logits, target))
    torch.testing.assert_close(
        uskd_non_target(logits, weak, one_hot, INTENDED), uskd_non_target(logits, weak, target, INTENDED)
    )
    assert torch.equal(Targets.of(one_hot).others(7), others(target, 7))
    assert not soft_targets(logits, Targets.of(one_hot))[:, 1].any()


def test_zipf_s_labels_sum_to_one_fall_with_the_rank_and_leave_out_the_target() -> None:
    logits, weak, target = drawn()
    targets, keep = Targets.of(target), others(target, 7)
    scores = class_scores(logits, weak, targets, INTENDED)
    found = zipf_labels(scores, keep)
    torch.testing.assert_close(found.sum(dim=1), torch.ones(6))
    assert not found[~keep].any()
    by_score = found.gather(1, scores.argsort(dim=1, descending=True))
    torch.testing.assert_close(by_score[:, :6], (by_score[0, 0] / torch.arange(1, 7)).expand(6, -1))


def test_ranks_come_from_both_heads() -> None:
    logits = torch.tensor([[9.0, 3.0, 2.0, 0.0]])
    weak = torch.tensor([[0.0, 0.0, 1.0, 6.0]])
    target = torch.tensor([0])
    keep = others(target, 4)

    def best(first: Tensor, second: Tensor) -> list[int]:
        scores = class_scores(first, second, Targets.of(target), INTENDED)
        return zipf_labels(scores, keep).argsort(dim=1, descending=True)[0, :3].tolist()

    assert best(logits, logits) == [1, 2, 3]
    assert best(weak, weak) == [3, 2, 1]
    assert best(logits, weak) == [3, 1, 2]


@every_ranking
@either_label
def test_gradients_reach_only_the_final_logits_of_classes_without_a_share(config: RankingConfig, mixed: bool) -> None:
    logits, weak, target = drawn()
    logits.requires_grad_(), weak.requires_grad_()
    uskd_non_target(logits, weak, labels(target, 7, mixed), config).backward()
    assert weak.grad is None and logits.grad is not None
    keep = Targets.of(labels(target, 7, mixed)).others(7)
    assert not logits.grad[~keep].any() and logits.grad[keep].all()


def test_soft_labels_carry_no_gradient() -> None:
    logits, weak, target = drawn()
    logits.requires_grad_()
    targets, keep = Targets.of(target), others(target, 7)
    soft, scores = soft_targets(logits, targets), class_scores(logits, weak, targets, INTENDED)
    assert not soft.requires_grad and not zipf_labels(scores, keep).requires_grad
    (found,) = torch.autograd.grad(uskd_target(logits, target), logits)
    expected = soft * (logits.softmax(dim=1) - F.one_hot(target, 7)) / 6
    torch.testing.assert_close(found, expected)
    (found,) = torch.autograd.grad(uskd_non_target(logits, weak, target, INTENDED), logits)
    made = logits.masked_fill(~keep, -torch.inf).softmax(dim=1)
    torch.testing.assert_close(found, (made - zipf_labels(scores, keep)) / 6)


@every_ranking
@either_label
def test_the_order_of_classes_is_of_no_consequence(config: RankingConfig, mixed: bool) -> None:
    logits, weak, target = drawn()
    order = torch.randperm(7, generator=torch.Generator().manual_seed(3))
    moved = labels(target, 7, mixed)[:, order] if mixed else order.argsort()[target]
    given = labels(target, 7, mixed)
    options = USKD_CIFAR.model_copy(update={"ranking": config})
    torch.testing.assert_close(
        uskd(logits[:, order], weak[:, order], moved, options), uskd(logits, weak, given, options)
    )


@either_label
def test_the_whole_is_the_weighted_sum_of_its_parts(mixed: bool) -> None:
    logits, weak, target = drawn()
    given = labels(target, 7, mixed)
    config = UskdConfig(target=0.3, non_target=0.5, weak=0.7, smoothing=0.2, ranking=LOGS)
    parts = uskd_target(logits, given), uskd_non_target(logits, weak, given, LOGS), label_smoothing(weak, given, 0.2)
    torch.testing.assert_close(uskd(logits, weak, given, config), 0.3 * parts[0] + 0.5 * parts[1] + 0.7 * parts[2])


@every_ranking
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_computed_in_single(config: RankingConfig, dtype: torch.dtype) -> None:
    logits, weak, target = (each.to(dtype) if each.is_floating_point() else each for each in drawn(n_classes=200))
    options = USKD_CIFAR.model_copy(update={"ranking": config})
    found = uskd(logits, weak, target, options)
    assert found.dtype == torch.float32
    expected = uskd(logits.float(), weak.float(), target, options)
    assert torch.equal(found, expected)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(uskd(logits.float(), weak.float(), target, options), expected)


def test_of_two_classes_nothing_is_left_to_rank() -> None:
    logits, weak, target = drawn(n_classes=2)
    for config in (INTENDED, RELEASED_RANKING):
        logits.requires_grad_().grad = None
        loss = uskd_non_target(logits, weak, target, config)
        loss.backward()
        assert loss.item() == 0 and logits.grad is not None and not logits.grad.any()


def test_of_two_classes_that_are_both_targets_nothing_is_left_at_all() -> None:
    logits, weak, _ = drawn(n_rows=2, n_classes=2)
    logits.requires_grad_()
    mixed = torch.tensor([[0.6, 0.4], [0.1, 0.9]])
    loss = uskd(logits, weak, mixed, USKD_CIFAR)
    loss.backward()
    assert loss.isfinite() and logits.grad is not None and logits.grad.isfinite().all()
    assert uskd_non_target(logits, weak, mixed, INTENDED).item() == 0


def test_trap_2_log_probabilities_rank_otherwise() -> None:
    # Among the others: probabilities 2/3, 1/3 of the weak head, 1/4, 3/4 of the final one.
    weak = torch.tensor([[0.5, 1 / 3, 1 / 6]]).log()
    logits = torch.tensor([[0.0, 0.25, 0.75]]).clamp(min=1e-4).log()
    targets = Targets.of(torch.tensor([0]))
    intended = class_scores(logits, weak, targets, INTENDED)[0, 1:]
    torch.testing.assert_close(intended, torch.tensor([2 / 3 + 1 / 4, 1 / 3 + 3 / 4]), atol=1e-3, rtol=0)
    released = class_scores(logits, weak, targets, LOGS)[0, 1:]
    left = 1 + math.log(1e4)
    expected = [2 / 3 + math.log(0.25) / left, 1 / 3 + math.log(0.75) / left]
    torch.testing.assert_close(released, torch.tensor(expected), atol=1e-3, rtol=0)
    assert intended.argmax() == 1 and released.argmax() == 0


def test_trap_2_the_two_rankings_agree_in_most_pictures_and_not_in_all() -> None:
    logits, weak, target = drawn(n_rows=500, n_classes=100)
    best = [class_scores(logits, weak, Targets.of(target), config).argmax(dim=1) for config in (INTENDED, LOGS)]
    assert 0.5 < (best[0] == best[1]).float().mean().item() < 1


@pytest.mark.parametrize(("n_classes", "released", "intended"), [(100, 0.119, 0.193), (1000, 0.077, 0.134)])
def test_trap_3_a_target_that_takes_the_first_rank_flattens_the_labels(
    n_classes: int, released: float, intended: float
) -> None:
    logits, weak, target = drawn(n_classes=n_classes)
    logits = logits.scatter(1, target[:, None], 30.0)
    targets, keep = Targets.of(target), others(target, n_classes)
    for config, expected in ((ALL, released), (INTENDED, intended)):
        found = zipf_labels(class_scores(logits, weak, targets, config), keep).amax(dim=1)
        torch.testing.assert_close(found, torch.full((6,), expected), atol=5e-4, rtol=0)


def test_trap_3_a_target_that_ranks_last_is_of_no_consequence() -> None:
    logits, weak, target = drawn()
    logits, weak = (each.scatter(1, target[:, None], -30.0) for each in (logits, weak))
    found = [uskd_non_target(logits, weak, target, config) for config in (INTENDED, ALL)]
    torch.testing.assert_close(found[0], found[1])


@every_ranking
def test_trap_10_a_student_without_doubt_makes_no_nan_and_still_ranks(config: RankingConfig) -> None:
    target = torch.tensor([0, 1])
    logits = torch.tensor([[200.0, 1.0, -3.0], [-5.0, 300.0, 2.0]])
    assert (logits.softmax(dim=1).gather(1, target[:, None]) == 1).all()
    for made in (logits, -logits):
        made = made.clone().requires_grad_()
        loss = uskd(made, logits, target, USKD_CIFAR.model_copy(update={"ranking": config}))
        loss.backward()
        assert loss.isfinite() and made.grad is not None and made.grad.isfinite().all()
    scores = class_scores(logits, logits, Targets.of(target), INTENDED)
    torch.testing.assert_close(scores[0, 1:], 2 * logits[0, 1:].softmax(dim=0))
