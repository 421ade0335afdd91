"""The length regulator against a loop, and the worked example of FastSpeech (figure 1c, section 3.2)."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from speechkd.models.tts.regulator import at_least_one_frame, expand, regulate, round_half_up, token_of_frame

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
def test_t01_the_published_example(alpha: float, durations: list[int], sequence: list[int]) -> None:
    """D = [2, 2, 3, 1]; α = 1.3 gives [2.6, 2.6, 3.9, 1.3], α = 0.5 gives [1, 1, 1.5, 0.5], each rounded."""
    rounded = regulate(torch.tensor([2.0, 2.0, 3.0, 1.0]), alpha)
    assert rounded.tolist() == durations
    hidden = torch.tensor([[[1.0], [2.0], [3.0], [4.0]]])
    assert expand(hidden, rounded[None]).flatten().tolist() == sequence


def test_t02_the_scaled_duration_is_rounded_and_not_the_rounded_scaled() -> None:
    """1.4 frames at half the speed are 2.8, so 3: rounding first gives 2, adding the half first gives 3 for 1.1 too."""
    assert regulate(torch.tensor([1.4, 1.1, 2.6, 0.2]), 2.0).tolist() == [3, 2, 5, 0]


@settings(deadline=None)
@given(st.lists(st.integers(0, 60), min_size=1, max_size=8), st.integers(1, 40))
def test_t01_no_bias_in_exact_arithmetic(durations: list[int], tenths: int) -> None:
    """⌊α·d + ½⌋ with α = tenths / 10, in whole numbers: ⌊(2·tenths·d + 10) / 20⌋."""
    expected = [(2 * tenths * d + 10) // 20 for d in durations]
    assert regulate(torch.tensor([durations], dtype=torch.float32), tenths / 10).tolist() == [expected]


def test_t03_a_row_without_frames_gets_one_on_its_longest_token() -> None:
    real = torch.tensor([[0.1, 0.4, 0.3], [0.0, 0.0, 8.0], [0.2, 2.0, 0.0]])
    mask = torch.tensor([[True, True, True], [True, True, False], [True, True, True]])
    frames = regulate(real) * mask
    assert at_least_one_frame(frames, real, mask).tolist() == [[0, 1, 0], [1, 0, 0], [0, 2, 0]]


def test_t06_zeros_in_a_row_lose_and_move_nothing() -> None:
    states = torch.arange(1.0, 7.0).view(1, 6, 1)
    assert expand(states, torch.tensor([[0, 0, 2, 0, 0, 1]])).flatten().tolist() == [3, 3, 6]
    assert expand(states, torch.tensor([[1, 0, 0, 0, 0, 0]])).flatten().tolist() == [1]


def test_the_gradient_of_a_token_is_that_of_all_its_frames() -> None:
    states = torch.zeros(1, 4, 1, requires_grad=True)
    expand(states, torch.tensor([[2, 0, 3, 1]])).sum().backward()
    assert states.grad is not None and states.grad.flatten().tolist() == [2, 0, 3, 1]
