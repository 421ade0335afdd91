"""Weight norm is put on for training and folded away for the folder that speaks."""

from __future__ import annotations

import pytest
import torch

from speechkd.errors import DataError
from speechkd.models.vocoder.hifigan import HifiGan
from speechkd.models.vocoder.weight_norm import folded, with_weight_norm
from tests.models.vocoder.test_hifigan import TINY1, TINY2, minimal_forward


@pytest.mark.parametrize("config", [TINY1, TINY2])
def test_it_changes_nothing_until_it_learns_and_nothing_when_folded(config) -> None:
    torch.manual_seed(0)
    plain = HifiGan(config)
    mel, before = torch.randn(2, 5, 7), plain.state_dict()
    before = {name: value.clone() for name, value in before.items()}
    expected = plain(mel)
    normed = with_weight_norm(plain)
    torch.testing.assert_close(normed(mel), expected)
    names = {name for name, _ in normed.named_parameters()}
    assert len(names) == 3 * sum(name.endswith(".bias") for name in before)
    optimizer = torch.optim.SGD(normed.parameters(), lr=0.1)
    normed(mel).square().mean().backward()
    optimizer.step()
    state = folded(normed.state_dict())
    assert {name: value.shape for name, value in state.items()} == {n: v.shape for n, v in before.items()}
    assert not torch.equal(state["conv_pre.weight"], before["conv_pre.weight"])
    again = HifiGan(config)
    again.load_state_dict(state)
    torch.testing.assert_close(again(mel), normed(mel))
    torch.testing.assert_close(again(mel), minimal_forward(state, config, mel), atol=1e-6, rtol=1e-5)


def test_putting_it_on_twice_is_putting_it_on_once() -> None:
    once = with_weight_norm(HifiGan(TINY1))
    names = [name for name, _ in once.named_parameters()]
    assert [name for name, _ in with_weight_norm(once).named_parameters()] == names


def test_weights_that_are_not_finite_are_not_saved() -> None:
    state = with_weight_norm(HifiGan(TINY1)).state_dict()
    state["conv_pre.bias"][0] = float("nan")
    with pytest.raises(DataError, match=r"conv_pre\.bias"):
        folded(state)
