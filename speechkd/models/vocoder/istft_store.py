"""Saving and loading an inverse-STFT vocoder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from speechkd.errors import DataError
from speechkd.models.vocoder.config import MelShape
from speechkd.models.vocoder.files import files_of, the_weights
from speechkd.models.vocoder.istft import IstftVocoderNetwork
from speechkd.models.vocoder.istft_config import IstftConfig
from speechkd.models.vocoder.istft_files import CONFIG_NAME, istft_json, read_istft_config

WEIGHTS_NAME = "generator.safetensors"


def save_istft(folder: Path, network: IstftVocoderNetwork, mel: MelShape) -> None:
    """Write the files of a vocoder into an existing folder."""
    (folder / CONFIG_NAME).write_text(istft_json(network.config, mel), encoding="utf-8")
    state = {name: tensor.detach().cpu().contiguous() for name, tensor in network.state_dict().items()}
    save_file(state, folder / WEIGHTS_NAME)


def load_istft(path: Path) -> tuple[IstftVocoderNetwork, MelShape]:
    """The network in evaluation mode, and the mel it speaks, from a vocoder's folder or its file with weights.

    Raises DataError for files that are missing, unreadable or do not fit together.
    """
    weights = the_weights(files_of(path), str(path))
    config, mel = read_istft_config(weights.parent / CONFIG_NAME)
    try:
        state = load_file(weights)
    except (SafetensorError, OSError) as error:
        raise DataError("vocoder weights cannot be read", where=str(weights), why=str(error)) from error
    return build_istft(config, state, str(weights)), mel


def build_istft(config: IstftConfig, state: Mapping[str, Tensor], where: str) -> IstftVocoderNetwork:
    """A network with these weights, of any precision, in evaluation mode; DataError where they do not fit."""
    network = IstftVocoderNetwork(config)
    try:
        network.load_state_dict({name: tensor.float() for name, tensor in state.items()})
    except RuntimeError as error:
        why = " ".join(str(error).split())[:300]
        raise DataError("weights do not fit the vocoder's config", where=where, why=why) from error
    return network.eval().requires_grad_(False)
