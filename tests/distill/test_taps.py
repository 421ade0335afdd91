"""Taps read the instance, and leave nothing behind."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from speechkd.distill.taps import Taps
from speechkd.errors import ConfigError, StageError


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.encoder = nn.Sequential(nn.Linear(3, 4), nn.Tanh())
        self.head = nn.Linear(4, 2)
        self.idle = nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        if x.shape[1] != 3:
            raise RuntimeError("bad input")
        return self.head(self.encoder(x))


def n_hooks(model: nn.Module) -> int:
    return sum(len(module._forward_hooks) for module in model.modules())


def test_a_tap_reads_what_the_submodule_returns_with_its_gradient() -> None:
    model, x = Net(), torch.randn(5, 3)
    with Taps(model, {"inner": "encoder.0", "middle": "encoder", "all": ""}) as taps:
        out = model(x)
    assert torch.equal(taps["inner"], nn.functional.linear(x, model.encoder[0].weight, model.encoder[0].bias))
    assert torch.equal(taps["middle"], torch.tanh(taps["inner"])) and taps["all"] is out
    taps["middle"].sum().backward()
    assert model.encoder[0].weight.grad is not None and model.head.weight.grad is None
    assert n_hooks(model) == 0


def test_a_tap_reads_this_instance_only() -> None:
    model, other = Net(), Net()
    before = dict(vars(Net))
    with Taps(model, {"middle": "encoder"}) as taps:
        other(torch.zeros(1, 3))
        with pytest.raises(StageError, match=r"encoder: the tap middle read nothing"):
            taps["middle"]
        wanted = model(torch.ones(2, 3))
        other(torch.zeros(1, 3))
        assert torch.equal(model.head(taps["middle"]), wanted)
        assert n_hooks(other) == 0 and dict(vars(Net)) == before


def test_hooks_are_gone_after_an_exception() -> None:
    model = Net()
    kept: list[Tensor] = []
    own = model.encoder.register_forward_hook(lambda module, inputs, output: kept.append(output))
    taps = Taps(model, {"a": "encoder", "b": "head"})
    with taps:
        assert n_hooks(model) == 3
    with pytest.raises(RuntimeError, match="bad input"), taps:
        model(torch.zeros(2, 7))
    assert n_hooks(model) == 1  # the one that was there before
    model(torch.zeros(2, 3))
    own.remove()
    assert len(kept) == 1


def test_a_tap_can_be_used_again_and_forgets() -> None:
    model = Net()
    taps = Taps(model, {"head": "head", "idle": "idle"})
    with taps:
        first = model(torch.zeros(1, 3))
        last = model(torch.ones(1, 3))
        assert taps["head"] is last and taps["head"] is not first
    assert taps["head"] is last
    with pytest.raises(StageError, match="idle read nothing"):
        taps["idle"]
    with taps, pytest.raises(StageError, match="head read nothing"):
        taps["head"]
    with taps, pytest.raises(StageError, match="open already"), taps:
        pass
    assert n_hooks(model) == 0
    with pytest.raises(KeyError):
        taps["nobody"]


def test_an_unknown_path_names_what_is_close() -> None:
    model = Net()
    with pytest.raises(ConfigError, match=r"Net has no submodule 'encodr.0'. Did you mean encoder.0"):
        Taps(model, {"good": "head", "bad": "encodr.0"})
    with pytest.raises(ConfigError, match=r"It has encoder, encoder.0, encoder.1, head, idle, …"):
        Taps(model, {"bad": "zzz"})
    assert n_hooks(model) == 0


def test_a_shared_submodule_can_be_read_by_either_name() -> None:
    model = Net()
    model.idle = model.head
    with Taps(model, {"a": "head", "b": "idle"}) as taps:
        out = model(torch.ones(1, 3))
    assert taps["a"] is out and taps["b"] is out
