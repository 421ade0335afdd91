"""The network on disk, its losses, and that frames far away do not matter."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from speechkd.align.mas.features import N_FEATURES
from speechkd.align.mas.graph import Inventory
from speechkd.align.mas.loss import binarisation_loss, forward_sum_loss
from speechkd.align.mas.network import CONFIG, WEIGHTS, NetworkSize, StateClassifier, load_network, save_network
from speechkd.align.mas.search import chain
from speechkd.errors import ArtifactError

SIZE = NetworkSize(channels=16)


def small_network(seed: int = 0) -> StateClassifier:
    torch.manual_seed(seed)
    network = StateClassifier(Inventory(("AH0", "K")), SIZE).eval()
    torch.nn.init.normal_(network.out.weight)
    return network


def test_a_loaded_network_says_the_same(tmp_path: Path) -> None:
    network, frames = small_network(), torch.randn(1, 20, N_FEATURES)
    network.note_share(network(frames)[0].detach())
    save_network(tmp_path, network)
    loaded = load_network(tmp_path)
    assert loaded.inventory == network.inventory and not loaded.training
    with torch.inference_mode():
        assert torch.equal(loaded.scaled(loaded(frames)), network.scaled(network(frames)))


def test_the_same_network_is_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        save_network(tmp_path / name, small_network())
    for name in (CONFIG, WEIGHTS):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


@pytest.mark.parametrize("damage", ["no config", "no weights", "cut weights", "not JSON", "format", "another size"])
def test_a_damaged_folder_is_refused(tmp_path: Path, damage: str) -> None:
    save_network(tmp_path, small_network())
    config, weights = tmp_path / CONFIG, tmp_path / WEIGHTS
    known = json.loads(config.read_text(encoding="utf-8"))
    if damage.startswith("no "):
        (config if damage == "no config" else weights).unlink()
    elif damage == "cut weights":
        weights.write_bytes(weights.read_bytes()[:100])
    else:
        changed = {"not JSON": "{", "format": json.dumps(known | {"format": 99})}
        config.write_text(changed.get(damage, json.dumps(known | {"channels": 8})), encoding="utf-8")
    with pytest.raises(ArtifactError, match="the aligner cannot be read"):
        load_network(tmp_path)


def test_a_frame_hears_five_frames_to_each_side() -> None:
    network, frames = small_network(), torch.randn(1, 41, N_FEATURES)
    changed = frames.clone()
    changed[0, 20] += 1
    with torch.inference_mode():
        differs = (network(frames) != network(changed)).any(dim=-1)[0]
    reach = sum(kernel // 2 for kernel in SIZE.kernels)
    assert differs.nonzero().flatten().tolist() == list(range(20 - reach, 20 + reach + 1))


def test_the_share_moves_towards_what_is_said() -> None:
    network = small_network()
    before = network.share.clone()
    posteriors = torch.eye(network.inventory.n_states)[[0, 0, 0, 1]]
    network.note_share(torch.log(posteriors + 1e-20))
    target = torch.tensor([0.75, 0.25] + [0.0] * (network.inventory.n_states - 2))
    torch.testing.assert_close(network.share, before + 0.002 * (target - before))


def test_forward_sum_loss_has_the_gradient_of_its_value() -> None:
    sources, scores = chain([False, True, False]), torch.randn(6, 3, generator=torch.Generator().manual_seed(1))
    scores.requires_grad_()
    (2 * forward_sum_loss(scores, sources)).backward()
    assert scores.grad is not None
    step = 1e-2
    for frame, state in [(0, 0), (2, 1), (4, 2), (5, 0)]:
        values = []
        for sign in (1, -1):
            moved = scores.detach().clone()
            moved[frame, state] += sign * step
            values.append(2 * float(forward_sum_loss(moved, sources)))
        assert float(scores.grad[frame, state]) == pytest.approx((values[0] - values[1]) / (2 * step), abs=2e-3)


def test_binarisation_loss_is_cross_entropy_on_the_best_path() -> None:
    log_posteriors = torch.log(torch.tensor([[0.7, 0.2], [0.6, 0.3], [0.1, 0.8]]))
    loss = binarisation_loss(log_posteriors, log_posteriors, chain([False, False]))
    assert float(loss) == pytest.approx(-float(torch.log(torch.tensor(0.7 * 0.6 * 0.8))), abs=1e-6)


def test_the_path_comes_from_the_scores_not_from_the_posteriors() -> None:
    log_posteriors = torch.log(torch.tensor([[0.5, 0.5], [0.9, 0.1], [0.5, 0.5]]))
    scores = torch.tensor([[0.0, 0.0], [0.0, 9.0], [0.0, 0.0]])
    loss = binarisation_loss(log_posteriors, scores, chain([False, False]))
    assert float(loss) == pytest.approx(-float(torch.log(torch.tensor(0.5 * 0.1 * 0.5))), abs=1e-6)
