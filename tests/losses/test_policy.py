"""Policy gradients against loops over the definition, exact expectations, and the known traps."""

from __future__ import annotations

import itertools

import pytest
import torch
from torch import Tensor

from speechkd.losses.policy.baselines import BaselineLevel, leave_one_out, mean_reward, reward_spread
from speechkd.losses.policy.options import Baseline, EndReward, Estimate, RewardKind
from speechkd.losses.policy.rewards import step_mask, step_rewards
from speechkd.losses.policy.windows import policy_loss, pseudo_convolution, step_weights
from speechkd.metrics.edits import edit_distances

KERNELS = [(1, 1), (2, 1), (3, 1), (3, 2), (5, 2), (5, 5), (8, 3), (30, 1)]


def rewards_of(
    texts: Tensor, reference: list[int], kind: RewardKind = "incremental", end: EndReward = "free", eos: int = -1
) -> Tensor:
    """Rewards of texts (B, T) that all fill their rows; the last symbol may be the end."""
    lengths = torch.full((len(texts),), texts.shape[1])
    said = lengths - (texts[:, -1] == eos).long()
    references = torch.tensor([reference]).expand(len(texts), -1)
    wanted = torch.full((len(texts),), len(reference))
    return step_rewards(*edit_distances(texts, said, references, wanted), lengths, said, wanted, kind, end)


def windows_by_hand(rewards: list[float], k: int, s: int) -> list[float]:
    T = len(rewards)
    starts = [0] if k >= T else [min(j * s, T - k) for j in range(1 + -(-(T - k) // s))]
    weights = [0.0] * T
    for start in starts:
        window = range(start, min(start + k, T))
        for t in window:
            weights[t] += sum(rewards[u] for u in window) / len(window) ** 2 / len(starts)
    return weights


def ragged(seed: int = 0, extra: int = 0) -> tuple[Tensor, Tensor]:
    lengths = torch.tensor([12, 7, 1, 4, 0])
    rewards = torch.randn(5, 12, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    rewards = torch.nn.functional.pad(rewards, (0, extra), value=99.0)
    return rewards.masked_fill(~step_mask(lengths, 12 + extra), 99.0), lengths


@pytest.mark.parametrize(("k", "s"), KERNELS)
def test_the_definition_window_by_window(k: int, s: int) -> None:
    rewards, lengths = ragged()
    found = pseudo_convolution(rewards, lengths, k, s)
    for row, T in enumerate(lengths.tolist()):
        assert found[row, :T].tolist() == pytest.approx(windows_by_hand(rewards[row, :T].tolist(), k, s) if T else [])
        assert not found[row, T:].any()


def test_kernel_one_is_reinforce_with_the_immediate_reward() -> None:
    rewards, lengths = ragged()
    found = step_weights(rewards, lengths, Estimate(kernel=1, stride=1), torch.full((5,), 0.25))
    expected = (rewards - 0.25) / lengths[:, None].clamp(min=1)
    assert torch.allclose(found, expected.masked_fill(~step_mask(lengths, 12), 0.0))


def test_a_kernel_of_the_whole_text_is_the_sentence_with_its_mean_reward() -> None:
    rewards, lengths = ragged()
    level = torch.linspace(-1, 1, 5)
    found = step_weights(rewards, lengths, Estimate(kernel=12), level)
    assert torch.allclose(found, step_weights(rewards, lengths, Estimate(estimator="sentence"), level))
    assert float(found[1, 3]) == pytest.approx((float(rewards[1, :7].mean()) + 0.5) / 7, rel=1e-6)


def test_stride_one_is_a_triangle() -> None:
    impulse = torch.zeros(1, 21).index_fill(1, torch.tensor([10]), 1.0)
    weights = pseudo_convolution(impulse, torch.tensor([21]), 4, 1)[0] * 18 * 16
    assert weights[6:15].tolist() == pytest.approx([0, 1, 2, 3, 4, 3, 2, 1, 0], abs=1e-5)


def test_reward_to_go_sums_what_follows() -> None:
    weights = step_weights(
        torch.tensor([[1.0, 2.0, 4.0, 9.0]]), torch.tensor([3]), Estimate(estimator="reward_to_go"), torch.tensor([1.0])
    )
    assert weights.tolist()[0] == pytest.approx([4 / 3, 4 / 3, 1.0, 0.0])


@pytest.mark.parametrize("T", range(1, 21))
def test_every_step_is_in_a_window_r2_uncovered_tail(T: int) -> None:
    for k in range(1, 23):
        for s in range(1, k + 1):
            weights = pseudo_convolution(torch.ones(1, T, dtype=torch.float64), torch.tensor([T]), k, s)
            assert (weights > 1e-9).all()
            assert float(weights.sum()) == pytest.approx(1.0)


@pytest.mark.parametrize("estimator", ["windows", "sentence", "reward_to_go"])
def test_padding_changes_neither_loss_nor_gradient_r3_windows_crossing_padding(estimator: str) -> None:
    options = Estimate.model_validate({"estimator": estimator, "kernel": 5, "stride": 2, "match_scale": True})
    results = []
    for extra in (0, 6):
        rewards, lengths = ragged(extra=extra)
        mask = step_mask(lengths, 12 + extra)
        scores = torch.linspace(-3, -1, 60, dtype=torch.float64).view(5, 12)
        scores = torch.nn.functional.pad(scores, (0, extra)).masked_fill(~mask, -torch.inf).requires_grad_()
        loss = policy_loss(scores, step_weights(rewards, lengths, options, torch.full((5,), 0.1)), mask)
        results.append((loss.detach(), *torch.autograd.grad(loss, scores)))
    assert torch.allclose(results[0][0], results[1][0])
    assert torch.allclose(results[0][1], results[1][1][:, :12])
    assert not results[1][1][:, 12:].any()


def log_probs(first: Tensor, second: Tensor, texts: Tensor) -> Tensor:
    """Of texts (B, 2) under p(y1), p(y2 | y1)."""
    one = first.log_softmax(0)[texts[:, 0]]
    return torch.stack([one, second.log_softmax(1)[texts[:, 0], texts[:, 1]]], dim=1)


def tiny_policy() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(5)
    make = {"generator": generator, "dtype": torch.float64}
    return torch.randn(3, **make).requires_grad_(), torch.randn(3, 3, **make).requires_grad_()


def exact_gradient(estimate: Estimate) -> Tensor:
    """By enumeration: of the objective where there is one, else of Σ_y p(y) Σ_t w_t ∇log p_t, w by hand."""
    parameters = tiny_policy()
    texts = torch.tensor(list(itertools.product(range(3), repeat=2)))
    scores, rewards = log_probs(*parameters, texts), rewards_of(texts, [1, 2]).double()
    chance = scores.sum(dim=1).exp()
    if estimate.estimator == "windows":
        weights = torch.tensor([windows_by_hand(r, estimate.kernel, estimate.stride) for r in rewards.tolist()])
        value = (chance.detach() * (weights * scores).sum(dim=1)).sum()
    else:
        value = (chance * rewards.sum(dim=1)).sum() / (4 if estimate.estimator == "sentence" else 2)
    return torch.cat([g.flatten() for g in torch.autograd.grad(-value, parameters)])


def sampled_gradients(estimate: Estimate, baseline: Baseline, batches: int = 80, n: int = 400) -> Tensor:
    parameters = tiny_policy()
    torch.manual_seed(3)
    lengths, gradients = torch.full((n,), 2), []
    for _ in range(batches):
        with torch.no_grad():
            first = parameters[0].softmax(0).multinomial(n, replacement=True)
            texts = torch.stack([first, parameters[1].softmax(1)[first].multinomial(1)[:, 0]], dim=1)
        rewards = rewards_of(texts, [1, 2]).double()
        level = BaselineLevel(baseline)(mean_reward(rewards, lengths))
        weights = step_weights(rewards, lengths, estimate, level)
        loss = policy_loss(log_probs(*parameters, texts), weights, step_mask(lengths, 2))
        gradients.append(torch.cat([g.flatten() for g in torch.autograd.grad(loss, parameters)]))
    return torch.stack(gradients)


@pytest.mark.parametrize("baseline", ["none", "leave_one_out"])
@pytest.mark.parametrize(
    "estimate",
    [Estimate(kernel=1), Estimate(kernel=2), Estimate(estimator="sentence"), Estimate(estimator="reward_to_go")],
    ids=str,
)
def test_the_mean_of_many_samples_is_the_exact_gradient(estimate: Estimate, baseline: str) -> None:
    found = sampled_gradients(estimate, Baseline.model_validate({"name": baseline}))
    error = found.std(dim=0) / len(found) ** 0.5
    assert ((found.mean(dim=0) - exact_gradient(estimate)).abs() < 3 * error + 1e-9).all()


def test_incremental_rewards_sum_to_what_was_gained() -> None:
    texts = torch.randint(0, 4, (50, 9), generator=torch.Generator().manual_seed(0))
    rewards = rewards_of(texts, [1, 2, 3, 1, 0])
    distance = edit_distances(texts, torch.full((50,), 9), torch.tensor([[1, 2, 3, 1, 0]] * 50), torch.full((50,), 5))
    assert torch.equal(rewards.sum(dim=1), 5.0 - distance.whole[:, -1])
    assert set(rewards.unique().tolist()) <= {-1.0, 0.0, 1.0}


def test_prefix_values_and_increments_by_hand() -> None:
    text = torch.tensor([[1, 9, 3]])
    assert rewards_of(text, [1, 2, 3, 4], "prefix_value")[0].tolist() == pytest.approx([1, 0.5, 2 / 3])
    assert rewards_of(text, [1, 2, 3, 4], "prefix")[0].tolist() == pytest.approx([0, -0.5, 1 / 6])
    assert rewards_of(text, [1, 2, 3, 4], "prefix", "missing").sum().item() == pytest.approx(-0.5)  # -CER
    assert rewards_of(text, [1, 2, 3, 4], "terminal")[0].tolist() == pytest.approx([0, 0, 0.5])
    assert rewards_of(text, [7], "terminal")[0, 2].item() == pytest.approx(-2.0)


def test_r4_sign() -> None:
    scores = torch.zeros(4, requires_grad=True)
    texts = torch.arange(4)[:, None]
    rewards, lengths = rewards_of(texts, [2]), torch.ones(4, dtype=torch.long)
    weights = step_weights(rewards, lengths, Estimate(), mean_reward(rewards, lengths).mean().expand(4))
    policy_loss(scores.log_softmax(0)[:, None], weights, step_mask(lengths, 1)).backward()
    assert scores.grad is not None
    assert (-scores.grad).argmax() == 2
    assert -scores.grad[2] > 0


def test_r5_stopping_at_once_pays_for_what_is_missing() -> None:
    stop, right, eos = torch.tensor([[0]]), torch.tensor([[1, 2, 3, 0]]), 0
    for kind in ("incremental", "prefix"):
        silent = rewards_of(stop, [1, 2, 3], kind, "missing", eos)
        assert silent.sum() == {"incremental": -3.0, "prefix": -1.0}[kind]
        assert rewards_of(stop, [1, 2, 3], kind, "free", eos).sum() == 0.0
        assert rewards_of(right, [1, 2, 3], kind, "missing", eos)[0, -1] == 0.0
    assert rewards_of(torch.tensor([[1, 9, 0]]), [1, 2], "prefix", "free", eos)[0, -1] == 0.0


def test_r6_no_gradient_through_rewards() -> None:
    rewards = torch.ones(1, 3, requires_grad=True)
    scores = torch.full((1, 3), -1.0, requires_grad=True)
    weights = rewards * 2.0
    policy_loss(scores, weights, torch.ones(1, 3, dtype=torch.bool)).backward()
    assert rewards.grad is None
    assert scores.grad is not None and scores.grad.tolist() == [[-2.0] * 3]
    assert not step_weights(rewards, torch.tensor([3]), Estimate(match_scale=True)).requires_grad


@pytest.mark.parametrize("name", ["none", "moving_average", "leave_one_out", "greedy"])
def test_r7_no_graph_through_baselines(name: str) -> None:
    values = torch.rand(4, requires_grad=True)
    level = BaselineLevel(Baseline.model_validate({"name": name}))(values, greedy=values * 2)
    assert not level.requires_grad


def test_r8_a_sample_is_not_in_its_own_baseline() -> None:
    values = torch.tensor([1.0, 2.0, 6.0, 0.0, 4.0, 8.0])
    assert leave_one_out(values, 3).tolist() == [4.0, 3.5, 1.5, 6.0, 4.0, 2.0]
    own = values - values.view(2, 3).mean(dim=1).repeat_interleave(3)
    assert torch.allclose(own, (values - leave_one_out(values, 3)) * (1 - 1 / 3))


def test_r9_one_spread_for_the_minibatch() -> None:
    rewards, lengths = torch.tensor([[0.0, 4.0], [2.0, 77.0]]), torch.tensor([2, 1])
    assert float(reward_spread(rewards, lengths)) == pytest.approx((8 / 3) ** 0.5)
    assert reward_spread(torch.ones(2, 2), lengths) == 1.0


def test_r10_a_better_greedy_text_makes_samples_less_likely() -> None:
    level = BaselineLevel(Baseline(name="greedy"))
    b = level(torch.tensor([0.5]), greedy=torch.tensor([0.9]))
    assert (step_weights(torch.full((1, 4), 0.5), torch.tensor([4]), Estimate(), b) < 0).all()
    with pytest.raises(ValueError, match="greedy"):
        level(torch.tensor([0.5]))


def test_the_moving_average_does_not_know_its_batch() -> None:
    level = BaselineLevel(Baseline(name="moving_average", decay=0.75))
    found = [level(torch.tensor([a, a])).tolist() for a in (4.0, 8.0, 0.0)]
    assert found == [[0.0, 0.0], [4.0, 4.0], [5.0, 5.0]]


def test_r17_kernels_at_equal_scale() -> None:
    generator = torch.Generator().manual_seed(2)
    rewards, lengths = torch.randn(64, 20, generator=generator), torch.full((64,), 20)
    one = step_weights(rewards, lengths, Estimate(kernel=1)).norm()
    for k in (3, 8, 20):
        plain = step_weights(rewards, lengths, Estimate(kernel=k))
        matched = step_weights(rewards, lengths, Estimate(kernel=k, match_scale=True))
        assert plain.norm() < 0.7 * one
        assert float(matched.norm()) == pytest.approx(float(one), rel=1e-5)
        assert torch.allclose(matched / matched.norm(), plain / plain.norm(), atol=1e-7)
    assert not step_weights(rewards * 0, lengths, Estimate(match_scale=True)).any()


def test_longer_windows_turn_the_gradient_towards_the_true_one() -> None:
    torch.manual_seed(0)
    n, T, reference = 10000, 12, [0, 1, 2, 3, 3, 1, 0, 2, 1, 1, 3, 2]
    chance = torch.randn(T, 4).softmax(1)
    texts = torch.stack([p.multinomial(n, replacement=True) for p in chance], dim=1)
    rewards, lengths = rewards_of(texts, reference), torch.full((n,), T)
    surprise = torch.nn.functional.one_hot(texts, 4) - chance  # ∇log p with respect to the logits

    def direction(estimate: Estimate) -> Tensor:
        centred = rewards - rewards.mean(dim=0)
        return (step_weights(centred, lengths, estimate)[..., None] * surprise).mean(dim=0).flatten()

    true = direction(Estimate(estimator="reward_to_go"))
    cosines = [float(torch.cosine_similarity(direction(Estimate(kernel=k)), true, dim=0)) for k in (1, 3, 5, 8)]
    assert cosines == sorted(cosines)
    assert cosines[0] + 0.2 < cosines[-1], cosines


def test_configurations_that_cannot_work_are_told() -> None:
    assert [path for path, _ in Estimate(kernel=2, stride=3).problems()] == ["stride"]
    assert not list(Estimate(estimator="sentence", kernel=2, stride=3).problems())
    assert [path for path, _ in Baseline(samples=1).problems()] == ["samples"]
    assert not list(Baseline(name="none", samples=1).problems())
