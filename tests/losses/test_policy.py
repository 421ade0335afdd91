"""The policy gradient against closed forms, brute force and another implementation. R2 to R9, R17: the traps of
pseudo-convolutional policy gradients that this module must not fall into.
"""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from speechkd.losses.policy import (
    Returns,
    Samples,
    edit_table,
    leave_one_out,
    logit_gradient,
    masked_mean,
    normalised,
    of_another,
    policy_loss,
    pseudo_convolution,
    reward_to_go,
    sentence_return,
    step_rewards,
    windows,
)

END = 2


def reference_edits(first: list[int], second: list[int]) -> int:
    """The textbook recurrence, cell by cell."""
    row = list(range(len(second) + 1))
    for i, x in enumerate(first, 1):
        new = [i]
        for j, y in enumerate(second, 1):
            new.append(min(row[j] + 1, new[-1] + 1, row[j - 1] + (x != y)))
        row = new
    return row[-1]


def drawn(texts: list[list[int]], ended: list[bool] | None = None) -> Samples:
    """Samples of one clip; END is added to those that ended."""
    ended = ended or [True] * len(texts)
    full = [[*text, END] if end else text for text, end in zip(texts, ended, strict=True)]
    width = max(map(len, full))
    symbols = torch.tensor([[*row, *[0] * (width - len(row))] for row in full])[None]
    return Samples(symbols, torch.tensor([[len(row) for row in full]]), torch.tensor([ended]))


def test_edit_tables_equal_the_textbook_on_random_pairs() -> None:
    draw = random.Random(0)
    pairs = [([draw.randrange(3, 7) for _ in range(8)], [draw.randrange(3, 7) for _ in range(6)]) for _ in range(30)]
    table = edit_table(torch.tensor([a for a, _ in pairs]), torch.tensor([b for _, b in pairs]))
    for n, (a, b) in enumerate(pairs):
        expected = [[reference_edits(a[:t], b[:u]) for u in range(7)] for t in range(9)]
        assert table[n].tolist() == expected


def test_edit_tables_equal_another_library() -> None:
    jiwer = pytest.importorskip("jiwer")
    draw = random.Random(1)
    words = ["".join(draw.choice("abc") for _ in range(9)) for _ in range(40)]
    codes = torch.tensor([[ord(c) for c in word] for word in words])
    table = edit_table(codes[:20], codes[20:])
    for n in range(20):
        counts = jiwer.process_characters(words[20 + n], words[n])
        assert int(table[n, -1, -1]) == counts.substitutions + counts.deletions + counts.insertions


def test_rewards_sum_to_what_they_promise() -> None:
    """incremental: U - edits. prefix_increment: -edits. terminal: 1 - CER, at the last step alone."""
    reference = [3, 4, 5, 5]
    texts = [[3, 4, 5, 5], [], [4, 5], [3, 3, 3, 3, 3, 3], [5, 5, 4, 3, 9]]
    samples = drawn(texts)
    edits = torch.tensor([float(reference_edits(text, reference)) for text in texts])
    known = (torch.tensor([reference]), torch.tensor([4]))
    assert torch.equal(step_rewards("incremental", samples, *known)[0].sum(dim=1), 4 - edits)
    assert torch.equal(step_rewards("prefix_increment", samples, *known)[0].sum(dim=1), -edits)
    terminal = step_rewards("terminal", samples, *known)[0]
    assert torch.allclose(terminal.sum(dim=1), 1 - edits / 4)
    assert (terminal != 0).sum(dim=1).max() == 1 and float(terminal[3, 6]) == 1 - 5 / 4 < 0


def test_prefix_rewards_equal_their_definition() -> None:
    reference, text = [3, 4, 5, 6], [4, 4, 6]
    rewards = step_rewards("prefix", drawn([text]), torch.tensor([reference]), torch.tensor([4]))[0, 0]
    expected = [1 - min(reference_edits(text[:t], reference[:u]) for u in range(5)) / t for t in (1, 2, 3)]
    expected.append(1 - reference_edits(text, reference) / 3)  # the end closes the sentence
    assert rewards.tolist() == pytest.approx(expected)


def test_r4_better_sentences_earn_more_and_become_likelier() -> None:
    samples = drawn([[3, 4, 5], [5, 5, 5]])
    for kind in ("incremental", "prefix", "prefix_increment", "terminal"):
        rewards = step_rewards(kind, samples, torch.tensor([[3, 4, 5]]), torch.tensor([3]))
        returns = sentence_return(rewards, samples.lengths)
        logs = torch.full((1, 2, 4), -1.0, requires_grad=True)
        policy_loss(logs, returns.weights(leave_one_out(returns))).backward()
        assert logs.grad is not None
        assert bool((logs.grad[0, 0] < 0).all()) and bool((logs.grad[0, 1] > 0).all()), kind


def test_r5_the_end_itself_earns_nothing() -> None:
    """An empty sentence is no better than any other start: it gains 0, and every right character 1."""
    rewards = step_rewards("incremental", drawn([[], [3, 4]]), torch.tensor([[3, 4]]), torch.tensor([2]))
    assert rewards[0].tolist() == [[0.0, 0.0, 0.0], [1.0, 1.0, 0.0]]
    prefix = step_rewards("prefix_increment", drawn([[], [3, 4]]), torch.tensor([[3, 4]]), torch.tensor([2]))
    assert prefix[0].tolist() == [[-2.0, 0.0, 0.0], [0.0, 0.0, 0.0]]


@pytest.mark.parametrize("kernel", range(1, 9))
@pytest.mark.parametrize("stride", range(1, 9))
def test_r2_no_window_leaves_the_tail_out(kernel: int, stride: int) -> None:
    lengths = torch.arange(1, 21)
    inside = windows(lengths, 20, kernel, stride)
    for length in range(1, 21):
        found = inside[length - 1]
        n_windows = 1 + (math.ceil((length - kernel) / stride) if length > kernel else 0)
        assert int(found.any(dim=1).sum()) == n_windows
        assert bool(found[:, length - 1].any()), "the last step is in a window"
        if stride <= kernel:
            assert bool(found[:, :length].any(dim=0).all()), "every step is in a window"
        assert not bool(found[:, length:].any()), "R3: nothing beyond the end"
        assert set(found.sum(dim=1).tolist()) <= {0, min(kernel, length)}


def test_k1_s1_is_reinforce_with_immediate_rewards() -> None:
    rewards, lengths = torch.randn(2, 3, 7), torch.tensor([[7, 5, 1], [2, 7, 3]])
    weights = pseudo_convolution(rewards, lengths, 1, 1).weights(0.25)
    mask = torch.arange(7) < lengths[..., None]
    assert torch.allclose(weights, (rewards - 0.25) * mask / lengths[..., None])


def test_kernels_of_the_whole_sentence_are_reinforce_with_the_mean_reward() -> None:
    rewards, lengths = torch.randn(2, 3, 7), torch.tensor([[7, 5, 1], [2, 7, 3]])
    mask = torch.arange(7) < lengths[..., None]
    mean = (rewards * mask).sum(dim=2) / lengths
    for kernel in (7, 50):
        weights = pseudo_convolution(rewards, lengths, kernel, 1).weights(0.25)
        assert torch.allclose(weights, ((mean - 0.25) / lengths)[..., None] * mask)
        by_sentence = sentence_return(rewards * mask, lengths).weights() / lengths[..., None]
        assert torch.allclose(pseudo_convolution(rewards, lengths, kernel, 1).weights(), by_sentence, atol=1e-6)


def test_the_kernel_of_stride_1_is_a_triangle() -> None:
    """A reward in the middle reaches k - 1 steps to either side, falling linearly: a box on a box."""
    n_steps, kernel, middle = 21, 5, 10
    rewards = torch.zeros(1, 1, n_steps)
    rewards[0, 0, middle] = 1.0
    weights = pseudo_convolution(rewards, torch.tensor([[n_steps]]), kernel, 1).weights()[0, 0]
    n_windows = n_steps - kernel + 1
    expected = [max(0, kernel - abs(t - middle)) / (n_windows * kernel**2) for t in range(n_steps)]
    assert weights.tolist() == pytest.approx(expected)


def test_weights_equal_the_definition_window_by_window() -> None:
    draw = random.Random(2)
    for _ in range(20):
        length, kernel, stride = draw.randint(1, 12), draw.randint(1, 5), draw.randint(1, 5)
        rewards = torch.randn(length)
        n_windows = 1 + (math.ceil((length - kernel) / stride) if length > kernel else 0)
        starts = [min(j * stride, max(0, length - kernel)) for j in range(n_windows)]
        fields = [range(start, min(start + kernel, length)) for start in starts]
        expected = torch.zeros(length)
        for field in fields:
            mean = sum(float(rewards[t]) for t in field) / len(field)
            for t in field:
                expected[t] += (mean - 0.5) / (n_windows * len(field))
        found = pseudo_convolution(rewards.view(1, 1, -1), torch.tensor([[length]]), kernel, stride).weights(0.5)
        assert torch.allclose(found[0, 0], expected, atol=1e-6)


def test_reward_to_go_equals_a_loop() -> None:
    rewards, lengths = torch.randn(1, 2, 6), torch.tensor([[6, 4]])
    weights = reward_to_go(rewards, lengths).weights()
    for row, length in enumerate([6, 4]):
        for t in range(6):
            expected = float(rewards[0, row, t:length].sum()) / length if t < length else 0.0
            assert float(weights[0, row, t]) == pytest.approx(expected, abs=1e-6)


ESTIMATORS: dict[str, Callable[[Tensor, Tensor], Returns]] = {
    "window": lambda rewards, lengths: pseudo_convolution(rewards, lengths, 2, 1),
    "to_go": reward_to_go,
    "sentence": sentence_return,
}


@pytest.mark.parametrize("name", ["sentence", "to_go", "window"])
@pytest.mark.parametrize("baseline", ["none", "leave_one_out"])
def test_the_estimate_equals_brute_force_within_3_standard_errors(name: str, baseline: str) -> None:
    """Two steps of three symbols: the gradient of the expected reward by listing all nine sentences."""
    torch.manual_seed(3)
    first, second = torch.randn(3, requires_grad=True), torch.randn(3, 3, requires_grad=True)
    reference, known = torch.tensor([[3, 4]]), torch.tensor([2])

    def log_p(symbols: Tensor) -> Tensor:
        a, b = symbols[..., 0] - 3, symbols[..., 1] - 3
        return torch.stack([first.log_softmax(0)[a], second.log_softmax(1)[a, b]], dim=-1)

    everything = torch.tensor(list(itertools.product((3, 4, 5), repeat=2)))[None]
    samples = Samples(everything, torch.full((1, 9), 2), torch.zeros(1, 9, dtype=torch.bool))
    rewards = step_rewards("incremental", samples, reference, known)
    probabilities = log_p(everything).sum(dim=-1).exp()
    # All three are the gradient of half the expected sum of rewards: losses are means over two steps.
    true = torch.autograd.grad(-(probabilities * rewards.sum(dim=2)).sum() / 2, (first, second))
    scale = 2.0 if name == "window" else 1.0  # a window's reward is a mean of two steps
    with torch.no_grad():
        n_draws, rows = 4000, 4
        p = first.softmax(0).expand(n_draws * rows, -1)
        a = torch.multinomial(p, 1).squeeze(1)
        b = torch.multinomial(second.softmax(1)[a], 1).squeeze(1)
        symbols = (torch.stack([a, b], dim=1) + 3).view(n_draws, rows, 2)
    samples = Samples(symbols, torch.full((n_draws, rows), 2), torch.zeros(n_draws, rows, dtype=torch.bool))
    rewards = step_rewards("incremental", samples, reference.expand(n_draws, -1), known.expand(n_draws))
    returns = ESTIMATORS[name](rewards, samples.lengths)
    weights = scale * returns.weights(leave_one_out(returns) if baseline == "leave_one_out" else 0.0)
    # The gradient of each draw in closed form: d log softmax = one-hot - p.
    own = torch.eye(3)[symbols - 3]
    with torch.no_grad():
        by_first = -(weights[..., :1] * (own[:, :, 0] - first.softmax(0))).mean(dim=1)
        scores = own[:, :, 1] - second.softmax(1)[symbols[..., 0] - 3]
        by_second = -(weights[..., 1, None, None] * own[:, :, 0, :, None] * scores[:, :, None]).mean(dim=1)
    found = torch.cat([by_first, by_second.flatten(1)], dim=1)
    expected = torch.cat([true[0], true[1].flatten()])
    along = found @ expected / expected.norm()
    assert abs(float(along.mean() - expected.norm())) <= 3 * float(along.std()) / math.sqrt(n_draws)
    # of twelve values, four standard errors: one in thirty such tables has a value beyond three
    assert bool(((found.mean(dim=0) - expected).abs() <= 4 * found.std(dim=0) / math.sqrt(n_draws)).all())
    # and the loss makes the same gradient
    policy_loss(log_p(symbols), weights).backward()
    assert first.grad is not None
    assert torch.allclose(first.grad, by_first.mean(dim=0), atol=1e-5)


def test_r3_padding_changes_no_gradient() -> None:
    torch.manual_seed(0)
    samples = drawn([[3, 4, 5], [4, 4, 5, 6, 3]])
    logits = torch.randn(1, 2, 6, 7)
    known = (torch.tensor([[3, 4, 6]]), torch.tensor([3]))
    gradients = []
    for extra in (0, 4):
        longer = samples._replace(symbols=torch.nn.functional.pad(samples.symbols, (0, extra)))
        padded = torch.nn.functional.pad(logits, (0, 0, 0, extra), value=9.0).requires_grad_()
        logs = padded.log_softmax(-1).gather(-1, longer.symbols[..., None]).squeeze(-1)
        rewards = step_rewards("incremental", longer, torch.nn.functional.pad(known[0], (0, extra)), known[1])
        losses = []
        for estimate in (lambda r, n: pseudo_convolution(r, n, 3, 2), reward_to_go, sentence_return):
            returns = estimate(rewards, longer.lengths)
            losses.append(policy_loss(logs, returns.weights(leave_one_out(returns))))
        torch.stack(losses).sum().backward()
        assert padded.grad is not None
        assert not bool(padded.grad[:, :, 6:].any())
        gradients.append(padded.grad[:, :, :6])
    assert torch.allclose(*gradients, atol=1e-7)


def test_r6_rewards_carry_no_gradient() -> None:
    rewards = torch.randn(1, 2, 3, requires_grad=True)
    returns = pseudo_convolution(rewards, torch.full((1, 2), 3), 2, 1)
    assert not returns.weights(leave_one_out(returns)).requires_grad


def test_r8_a_sample_is_no_part_of_its_own_baseline() -> None:
    values = torch.tensor([[[1.0, 10.0], [2.0, 20.0], [6.0, 0.0]]])
    mask = torch.tensor([[[True, True], [True, True], [True, False]]])
    returns = Returns(values, mask, torch.zeros(1, 3, 2, 2))
    baseline = leave_one_out(returns)[0]
    assert baseline[:, 0].tolist() == [4.0, 3.5, 1.5]
    assert baseline[:, 1].tolist() == [20.0, 10.0, 15.0]
    alone = Returns(torch.tensor([[[3.0, 5.0], [1.0, 0.0]]]), torch.tensor([[[True, True], [True, False]]]), mask)
    assert leave_one_out(alone)[0, 0].tolist() == [1.0, 1.0], "a field that no other has takes the mean of the others"


def test_r9_advantages_are_normalised_over_the_minibatch() -> None:
    advantages = torch.tensor([[[10.0, -10.0, 99.0]], [[1.0, -1.0, 1.0]]])
    mask = torch.tensor([[[True, True, False]], [[True, True, True]]])
    found = normalised(advantages, mask)
    assert float(found[0, 0, 0] / found[1, 0, 0]) == pytest.approx(10.0), "good and bad sentences keep their ratio"
    known = found[mask]
    assert float(((known - known.mean()) ** 2).mean()) == pytest.approx(1.0)
    assert float(masked_mean(advantages, mask)) == pytest.approx(0.2)


def test_the_greedy_baseline_goes_field_by_field() -> None:
    returns = Returns(torch.zeros(1, 2, 4), torch.ones(1, 2, 4, dtype=torch.bool), torch.zeros(1, 2, 4, 4))
    other = Returns(torch.tensor([[[3.0, 1.0, 7.0]]]), torch.tensor([[[True, True, False]]]), torch.zeros(1, 1, 3, 3))
    assert of_another(returns, other)[0].tolist() == [[3.0, 1.0, 2.0, 2.0]] * 2


def test_r17_the_gradient_shrinks_with_the_kernel_so_norms_are_measured() -> None:
    """Independent rewards and many steps: the weight of a window of k falls like a root of k and more."""
    torch.manual_seed(0)
    logits = torch.randn(4, 4, 60, 5, requires_grad=True)
    symbols = torch.randint(0, 5, (4, 4, 60))
    logs = logits.log_softmax(-1).gather(-1, symbols[..., None]).squeeze(-1)
    rewards, lengths = torch.randn(4, 4, 60), torch.full((4, 4), 60)
    norms = []
    for kernel in (1, 4, 16):
        loss = policy_loss(logs, pseudo_convolution(rewards, lengths, kernel, 1).weights())
        norms.append(float(logit_gradient(loss, logits)))
        scaled = policy_loss(logs, pseudo_convolution(rewards, lengths, kernel, 1).weights() * (norms[0] / norms[-1]))
        assert float(logit_gradient(scaled, logits)) == pytest.approx(norms[0], rel=1e-4)
    assert norms[0] > 1.5 * norms[1] > 2.25 * norms[2]


def test_the_expected_shape_of_bias_and_variance_by_kernel() -> None:
    """A policy of twelve independent steps of four symbols that knows the text half: its gradient is exact, sample by
    sample. With incremental rewards the cosine with the gradient of the sentence's return rises with k, to 1, and so
    does the variance, up to that of the sentence; reward to go has no bias, and less variance.
    """
    torch.manual_seed(0)
    n_draws, n_steps = 10_000, 12
    reference = torch.randint(3, 7, (1, n_steps))
    p = (torch.randn(n_steps, 4) + 2.0 * torch.eye(4)[reference[0] - 3]).softmax(dim=1)
    symbols = torch.multinomial(p, n_draws, replacement=True).T + 3
    samples = Samples(symbols[None], torch.full((1, n_draws), n_steps), torch.zeros(1, n_draws, dtype=torch.bool))
    rewards = step_rewards("incremental", samples, reference, torch.tensor([n_steps]))
    slopes = p - torch.eye(4)[symbols - 3]  # d(-log p) / d(logits)
    estimates = {"sentence": sentence_return(rewards, samples.lengths), "to_go": reward_to_go(rewards, samples.lengths)}
    for kernel in (1, 3, 5, 12):
        estimates[f"k{kernel}"] = pseudo_convolution(rewards, samples.lengths, kernel, 1)
    cosine: dict[str, float] = {}
    variance: dict[str, float] = {}
    true = torch.zeros(0)
    for name, returns in estimates.items():
        gradients = (returns.weights(leave_one_out(returns))[0, :, :, None] * slopes).flatten(1)
        mean = gradients.mean(dim=0)
        true = mean if name == "sentence" else true
        cosine[name] = float(torch.cosine_similarity(mean, true, dim=0))
        variance[name] = float(gradients.var(dim=0).sum() / mean.square().sum())
    assert cosine["k1"] < 0.6 < cosine["k3"] < cosine["k5"] < 0.97 < min(cosine["to_go"], cosine["k12"])
    assert variance["k1"] < variance["k3"] < variance["k5"] < variance["sentence"]
    assert variance["k12"] == pytest.approx(variance["sentence"], rel=1e-3)
    assert variance["to_go"] < variance["sentence"]
