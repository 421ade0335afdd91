"""The dynamic programmes against the enumeration of all paths, and against torch's CTC."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.special import logsumexp

from speechkd.align.mas.search import START, best_path, chain, forward_sum, monotonic_durations, pack_sources
from speechkd.errors import DataError


def all_paths(sources: NDArray[np.int32], n_frames: int) -> list[tuple[int, ...]]:
    """Every path that the sources allow, by trying all sequences of states."""
    n_states = len(sources) - 1

    def allowed(path: Sequence[int]) -> bool:
        steps = itertools.pairwise(path)
        inside = all(a == b or a in sources[b] for a, b in steps)
        return START in sources[path[0]] and path[-1] in sources[n_states] and inside

    return [path for path in itertools.product(range(n_states), repeat=n_frames) if allowed(path)]


def random_scores(seed: int, n_frames: int, n_states: int) -> NDArray[np.float32]:
    return np.random.default_rng(seed).normal(0, 2, (n_frames, n_states)).astype(np.float32)


def sums(scores: NDArray[np.float32], paths: list[tuple[int, ...]]) -> NDArray[np.float64]:
    return np.asarray([sum(float(scores[frame, state]) for frame, state in enumerate(path)) for path in paths])


# Two pronunciations between optional silences: 0 (silence), then 1 2 or 3, then 4 (silence).
BRANCHES = pack_sources([[START], [0, START], [1], [0, START], [2, 3], [4, 2, 3]])
NETWORKS = {
    "plain": chain([False] * 3),
    "first may be passed over": chain([True, False, False]),
    "last may be passed over": chain([False, False, True]),
    "two in a row": chain([False, True, True, False]),
    "all": chain([True, True, True]),
    "branches": BRANCHES,
}


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("n_frames", [3, 5])
def test_best_path_is_the_best_of_all_paths(name: str, n_frames: int) -> None:
    sources = NETWORKS[name]
    paths = all_paths(sources, n_frames)
    assert paths
    for seed in range(20):
        scores = random_scores(seed, n_frames, len(sources) - 1)
        assert tuple(best_path(scores, sources)) == paths[int(sums(scores, paths).argmax())]


@pytest.mark.parametrize("name", NETWORKS)
def test_forward_sum_adds_up_all_paths(name: str) -> None:
    sources = NETWORKS[name]
    paths = all_paths(sources, 5)
    for seed in range(10):
        scores = random_scores(seed, 5, len(sources) - 1)
        each = sums(scores, paths)
        total, shares = forward_sum(scores, sources)
        assert total == pytest.approx(logsumexp(each), abs=1e-5)
        expected = np.zeros_like(shares)
        for path, share in zip(paths, np.exp(each - logsumexp(each)), strict=True):
            expected[np.arange(5), path] += share
        np.testing.assert_allclose(shares, expected, atol=1e-5)


@pytest.mark.parametrize("labels", [[1, 2, 3, 2], [1, 1, 2], [2]])
def test_forward_sum_over_the_network_of_ctc_is_ctc(labels: list[int]) -> None:
    log_probs = torch.randn(9, 4, generator=torch.Generator().manual_seed(3)).log_softmax(-1)
    states = [0] + [state for label in labels for state in (label, 0)]
    rows = [[START], [START, 0]]
    for place in range(2, len(states)):
        repeated = states[place] == states[place - 2]
        rows.append([place - 1] if repeated else [place - 1, place - 2])
    rows.append([len(states) - 1, len(states) - 2])
    total, _ = forward_sum(log_probs[:, states].numpy(), pack_sources(rows))
    loss = torch.nn.functional.ctc_loss(
        log_probs[:, None], torch.tensor([labels]), torch.tensor([9]), torch.tensor([len(labels)]), reduction="sum"
    )
    assert total == pytest.approx(-float(loss), abs=1e-4)


def test_shares_of_a_long_utterance_add_up_to_one_in_every_frame() -> None:
    scores = random_scores(0, 800, 300) * 5
    total, shares = forward_sum(scores, chain([state % 7 == 0 for state in range(300)]))
    assert np.isfinite(total)
    np.testing.assert_allclose(shares.sum(axis=1), 1, atol=1e-4)


def test_durations_follow_a_clear_attention_and_add_up() -> None:
    truth = np.array([3, 1, 4, 2])
    attention = np.full((4, 10), -5.0)
    attention[np.repeat(np.arange(4), truth), np.arange(10)] = -0.1
    assert monotonic_durations(attention).tolist() == truth.tolist()


def test_a_token_is_passed_over_only_where_it_may_be() -> None:
    attention = np.array([[0, 0, -9, -9], [-9, -9, -9, -9], [-9, -9, 0, 0]], dtype=np.float64)
    assert monotonic_durations(attention, [False, True, False]).tolist() == [2, 0, 2]
    assert monotonic_durations(attention)[1] == 1


def test_as_many_frames_as_tokens_leave_no_choice() -> None:
    assert monotonic_durations(random_scores(0, 6, 6)).tolist() == [1] * 6


@pytest.mark.parametrize("search", [best_path, forward_sum])
def test_too_few_frames_are_an_error(search: object) -> None:
    assert callable(search)
    with pytest.raises(DataError, match="3 frames cannot hold it"):
        search(random_scores(0, 3, 4), chain([False] * 4))
