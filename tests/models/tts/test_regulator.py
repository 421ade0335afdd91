"""The length regulator against a loop, and the worked example of FastSpeech (figure 1c, section 3.2)."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from speechkd.models.tts.regulator import expand, round_half_up, token_of_frame

rows_of_durations = st.integers(1, 7).flatmap(
    lambda n: st.lists(st.lists(st.integers(0, 5), min_size=n, max_size=n), min_size=1, max_size=4)
).filter(lambda rows: max(map(sum, rows)) > 0)  # fmt: skip


@settings(deadline=None)
@given(rows_of_durations)
def test_expansion_is_a_loop_of_repeats(rows: list[list[int]]) -> None:
    durations = torch.tensor(rows)
    states = torch.arange(durations.numel() * 2, dtype=torch.float32).view(*durations.shape, 2)
    expanded = expand(states, durations)
    assert expanded.shape == (len(rows), max(map(sum, rows)), 2)
    for state, out, row in zip(states, expanded, rows, strict=True):
        loop = [state[i] for i, n in enumerate(row) for _ in range(n)]
        assert [frame.tolist() for frame in out[: len(loop)]] == [frame.tolist() for frame in loop]


@settings(deadline=None)
@given(rows_of_durations)
def test_each_frame_knows_its_token(rows: list[list[int]]) -> None:
    n_frames = max(map(sum, rows)) + 2
    index = token_of_frame(torch.tensor(rows), n_frames)
    for found, row in zip(index.tolist(), rows, strict=True):
        owners = [i for i, n in enumerate(row) for _ in range(n)]
        assert found[: len(owners)] == owners
        assert all(place == len(row) - 1 for place in found[len(owners) :])


@pytest.mark.parametrize(("value", "expected"), [(0.0, 0), (0.49, 0), (0.5, 1), (1.5, 2), (2.5, 3), (3.49, 3)])
def test_a_half_is_rounded_up(value: float, expected: int) -> None:
    rounded = round_half_up(torch.tensor([value]))
    assert rounded.dtype == torch.int64 and rounded.tolist() == [expected]


@pytest.mark.parametrize(
    ("alpha", "durations", "sequence"),
    [
        (1.0, [2, 2, 3, 1], [1, 1, 2, 2, 3, 3, 3, 4]),
        (1.3, [3, 3, 4, 1], [1, 1, 1, 2, 2, 2, 3, 3, 3, 3, 4]),
        (0.5, [1, 1, 2, 1], [1, 2, 3, 3, 4]),
    ],
)
def test_the_published_example(alpha: float, durations: list[int], sequence: list[int]) -> None:
    """D = [2, 2, 3, 1]; α = 1.3 gives [2.6, 2.6, 3.9, 1.3], α = 0.5 gives [1, 1, 1.5, 0.5], each rounded."""
    rounded = round_half_up(torch.tensor([2.0, 2.0, 3.0, 1.0]) * alpha)
    assert rounded.tolist() == durations
    hidden = torch.tensor([[[1.0], [2.0], [3.0], [4.0]]])
    assert expand(hidden, rounded[None]).flatten().tolist() == sequence


def test_the_gradient_of_a_token_is_that_of_all_its_frames() -> None:
    states = torch.zeros(1, 4, 1, requires_grad=True)
    expand(states, torch.tensor([[2, 0, 3, 1]])).sum().backward()
    assert states.grad is not None and states.grad.flatten().tolist() == [2, 0, 3, 1]
