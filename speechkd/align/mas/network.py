"""The aligner's network: which state is heard in a frame, from that frame and a few around it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from speechkd.align.mas.features import N_FEATURES
from speechkd.align.mas.graph import Inventory
from speechkd.errors import ArtifactError

CONFIG, WEIGHTS = "aligner.json", "aligner.safetensors"

_FORMAT = 1
_SHARE_MEMORY = 0.998  # of the running mean, per step
_SHARE_FLOOR = 1e-5


@dataclass(frozen=True)
class NetworkSize:
    """Channels, and the kernel of every layer in frames; what a layer sees must stay short, or boundaries blur."""

    channels: int = 128
    kernels: tuple[int, ...] = (5, 3, 3)
    dropout: float = 0.1


class StateClassifier(nn.Module):
    """Convolutions over time that tell how likely a frame is in each of N states.

    `share` (N,) is the running mean of what it says: the share of frames in each state. Divided by it, a posterior
    becomes a likelihood up to a factor per frame (Bourlard and Morgan 1994), which is what a search over states needs;
    without it frequent states swallow the others.
    """

    share: Tensor

    def __init__(self, inventory: Inventory, size: NetworkSize) -> None:
        super().__init__()
        self.inventory, self.size = inventory, size
        layers: list[nn.Module] = []
        n_in = N_FEATURES
        for kernel in size.kernels:
            layers += [nn.Conv1d(n_in, size.channels, kernel, padding=kernel // 2), nn.ReLU(), nn.Dropout(size.dropout)]
            n_in = size.channels
        self.layers = nn.Sequential(*layers)
        self.out = nn.Linear(n_in, inventory.n_states)
        # All states alike at first: the priors of the training decide, not the draw of the weights.
        nn.init.zeros_(self.out.bias)
        self.out.weight.data.mul_(0.1)
        self.register_buffer("share", torch.full((inventory.n_states,), 1.0 / inventory.n_states))

    def forward(self, frames: Tensor) -> Tensor:
        """Log posteriors (B, F, N) of frames (B, F, N_FEATURES)."""
        hidden = self.layers(frames.transpose(1, 2)).transpose(1, 2)
        return torch.log_softmax(self.out(hidden), dim=-1)

    def scaled(self, log_posteriors: Tensor) -> Tensor:
        """Log likelihoods (..., N), up to a constant per frame."""
        return log_posteriors - torch.log(self.share + _SHARE_FLOOR)

    @torch.no_grad()
    def note_share(self, log_posteriors: Tensor) -> None:
        """Let log posteriors of real frames (F, N) move the running mean."""
        self.share.lerp_(log_posteriors.exp().mean(dim=0), 1 - _SHARE_MEMORY)


def save_network(folder: Path, network: StateClassifier) -> None:
    """Write `aligner.json` and `aligner.safetensors` into an existing folder."""
    size = network.size
    config = {
        "format": _FORMAT,
        "phones": list(network.inventory.phones),
        "channels": size.channels,
        "kernels": list(size.kernels),
        "dropout": size.dropout,
    }
    text = json.dumps(config, ensure_ascii=False, indent=1, sort_keys=True) + "\n"
    (folder / CONFIG).write_text(text, encoding="utf-8")
    save_file({name: value.contiguous() for name, value in network.state_dict().items()}, folder / WEIGHTS)


def load_network(folder: Path) -> StateClassifier:
    """Read what `save_network` wrote, ready for use. Raises `ArtifactError` when it cannot be read."""
    try:
        config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
        network = StateClassifier(*_parts(config))
        network.load_state_dict(load_file(folder / WEIGHTS))
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, SafetensorError) as error:
        todo = "Train it again: align without a model."
        raise ArtifactError("the aligner cannot be read", where=str(folder), why=str(error), todo=todo) from error
    return network.eval()


def _parts(config: Any) -> tuple[Inventory, NetworkSize]:
    if config["format"] != _FORMAT:
        raise ValueError(f"its format is {config['format']!r}, this version reads {_FORMAT}")
    kernels: Sequence[int] = config["kernels"]
    size = NetworkSize(int(config["channels"]), tuple(map(int, kernels)), float(config["dropout"]))
    return Inventory(tuple(map(str, config["phones"]))), size
