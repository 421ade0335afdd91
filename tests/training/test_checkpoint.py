"""Checkpoints: complete or absent, and every changed bit is noticed."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from speechkd.errors import ArtifactError
from speechkd.training.checkpoint import (
    Progress,
    checkpoints,
    load_optimizer_tensors,
    optimizer_tensors,
    read_checkpoint,
    remove_old,
    write_checkpoint,
)

PROGRESS = Progress(
    step=7, epoch=1, batch=3, best=0.1 + 0.2, best_step=6, stale_validations=1,
    history=[{"kind": "train", "step": 5, "loss": 1 / 3}], sums={"mel": 2.0 / 7},
)  # fmt: skip


def tensors() -> dict[str, dict[str, Tensor]]:
    generator = torch.Generator().manual_seed(0)
    return {
        "model": {"weight": torch.randn(3, 4, generator=generator), "count": torch.tensor(5)},
        "optimizer": {"0/exp_avg": torch.randn(4, 3, generator=generator).T},  # not contiguous
    }


def assert_same(found: dict[str, dict[str, Tensor]], expected: dict[str, dict[str, Tensor]]) -> None:
    assert found.keys() == expected.keys()
    for name, values in expected.items():
        assert found[name].keys() == values.keys()
        for key, value in values.items():
            assert found[name][key].equal(value) and found[name][key].dtype == value.dtype


def test_what_is_written_is_what_is_read(tmp_path: Path) -> None:
    write_checkpoint(tmp_path / "step-00000007", tensors(), PROGRESS)
    found, progress = read_checkpoint(tmp_path / "step-00000007")
    assert_same(found, tensors())
    assert progress == PROGRESS  # floats to the last bit
    assert sorted(path.name for path in tmp_path.iterdir()) == ["step-00000007"]


def test_equal_states_have_equal_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_checkpoint(tmp_path / name, tensors(), PROGRESS)
    for path in (tmp_path / "a").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes()


def test_nothing_is_pickled(tmp_path: Path) -> None:
    write_checkpoint(tmp_path / "a", tensors(), PROGRESS)
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == [
        "model.safetensors", "optimizer.safetensors", "state.json",
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["model.safetensors", "optimizer.safetensors", "state.json"])
@pytest.mark.parametrize("damage", ["cut", "emptied", "deleted"])
def test_a_torn_checkpoint_is_refused_by_name(tmp_path: Path, name: str, damage: str) -> None:
    folder = tmp_path / "step-00000007"
    write_checkpoint(folder, tensors(), PROGRESS)
    data = (folder / name).read_bytes()
    if damage == "deleted":
        (folder / name).unlink()
    else:
        (folder / name).write_bytes(data[: len(data) - 5] if damage == "cut" else b"")
    with pytest.raises(ArtifactError) as caught:
        read_checkpoint(folder)
    assert caught.value.where == str(folder / name)


@pytest.mark.parametrize("name", ["model.safetensors", "state.json"])
def test_a_flipped_bit_is_refused_or_harmless(tmp_path: Path, name: str) -> None:
    """Wherever the bit stands; harmless is a bit between JSON's tokens."""
    folder = tmp_path / "step-00000007"
    write_checkpoint(folder, tensors(), PROGRESS)
    data = (folder / name).read_bytes()
    refused = 0
    places = range(0, len(data), 2)
    for place in places:
        flipped = bytearray(data)
        flipped[place] ^= 1 << place // 2 % 7
        (folder / name).write_bytes(flipped)
        try:
            found, progress = read_checkpoint(folder)
        except ArtifactError:
            refused += 1
        else:
            assert name == "state.json"
            assert_same(found, tensors())
            assert progress == PROGRESS, f"byte {place}: {bytes(flipped[place - 8 : place + 8])!r}"
    assert refused > 0.8 * len(places)


def test_checkpoints_are_listed_by_step_without_half_written_ones(tmp_path: Path) -> None:
    for step in (900, 1000, 20_000):
        write_checkpoint(tmp_path / f"step-{step:08d}", tensors(), PROGRESS)
    (tmp_path / ".step-00030000.tmp").mkdir()
    (tmp_path / "best").mkdir()
    assert [path.name for path in checkpoints(tmp_path)] == ["step-00000900", "step-00001000", "step-00020000"]
    remove_old(tmp_path, keep=2)
    assert [path.name for path in checkpoints(tmp_path)] == ["step-00001000", "step-00020000"]
    remove_old(tmp_path, keep=5)
    assert len(checkpoints(tmp_path)) == 2 and (tmp_path / "best").is_dir()


def test_writing_again_replaces(tmp_path: Path) -> None:
    write_checkpoint(tmp_path / "a", tensors() | {"average": {"x": torch.zeros(1)}}, PROGRESS)
    write_checkpoint(tmp_path / "a", tensors(), Progress(step=9))
    found, progress = read_checkpoint(tmp_path / "a")
    assert_same(found, tensors())
    assert progress.step == 9 and sorted(path.name for path in tmp_path.iterdir()) == ["a"]


def test_an_optimiser_continues_as_if_it_had_not_stopped() -> None:
    def take_steps(model: nn.Module, optimizer: torch.optim.Optimizer, steps: range) -> None:
        for step in steps:
            model(torch.full((2, 3), float(step))).square().sum().backward()
            optimizer.step()
            optimizer.zero_grad()

    def fresh() -> tuple[nn.Module, torch.optim.Optimizer]:
        torch.manual_seed(0)
        model = nn.Linear(3, 2)
        return model, torch.optim.AdamW(model.parameters(), lr=0.01, betas=(0.9, 0.98), weight_decay=0.1)

    whole, optimizer = fresh()
    take_steps(whole, optimizer, range(6))
    first, before = fresh()
    take_steps(first, before, range(3))
    second, after = fresh()
    second.load_state_dict(first.state_dict())
    load_optimizer_tensors(after, optimizer_tensors(before))
    take_steps(second, after, range(3, 6))
    for name, value in whole.state_dict().items():
        assert second.state_dict()[name].equal(value)
