"""Published HiFi-GAN checkpoints, and other toolkits': found, converted once to ours, then read from there only.

This is the one module that opens a pickled checkpoint, and it does so with `weights_only=True`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from speechkd.errors import DataError, ResourceError
from speechkd.models.vocoder.config import PUBLISHED, HifiGanConfig, MelShape, to_published_json
from speechkd.models.vocoder.files import config_files, files_of, read_config, the_weights
from speechkd.models.vocoder.foreign import statistics_file
from speechkd.models.vocoder.foreign_weights import own_state, transformers_config
from speechkd.models.vocoder.hifigan import HifiGan
from speechkd.models.vocoder.storage import cache_root, write_folder
from speechkd.runner.digests import file_digest

State = dict[str, Tensor]

# Part of the cache key: raise it when the converted form changes.
CONVERTER_VERSION = 1
WEIGHTS_NAME = "generator.safetensors"
CONFIG_NAME = "config.json"
_LOAD_ERRORS = (UnpicklingError, RuntimeError, EOFError, OSError, ValueError, KeyError, AttributeError, TypeError)


def load_generator(path: Path) -> tuple[HifiGan, MelShape]:
    """The generator in evaluation mode, and the mel it speaks, from a checkpoint file or the folder that holds one.

    Raises DataError for files that are missing, ambiguous, unreadable or not a HiFi-GAN generator.
    """
    return load_generator_files(files_of(path), str(path))


def load_generator_files(files: Sequence[Path], where: str) -> tuple[HifiGan, MelShape]:
    """As `load_generator`, from the files given: one with weights, and any number of JSON configs."""
    weights = the_weights(files, where)
    configs = config_files(files)
    if weights.suffix != ".safetensors" or transformers_config(configs) is not None:
        folder = convert(weights, configs, statistics_file(files))
        weights, configs = folder / WEIGHTS_NAME, [folder / CONFIG_NAME]
    state = fold_weight_norm(_read_safetensors(weights), str(weights))
    config, mel = _matching_config(state, configs, str(weights))
    return build_generator(config, state, str(weights)), mel


def build_generator(config: HifiGanConfig, state: Mapping[str, Tensor], where: str) -> HifiGan:
    """A generator with these weights in evaluation mode; DataError naming the first parameter that does not fit."""
    problem = _shape_problem(config, state)
    if problem:
        raise DataError("weights do not fit the HiFi-GAN config", where=where, why=problem)
    generator = HifiGan(config)
    generator.load_state_dict({name: tensor.float() for name, tensor in state.items()})
    return generator.eval().requires_grad_(False)


def convert(weights: Path, configs: Sequence[Path], statistics: Path | None = None) -> Path:
    """Folder of the cache with our form of a pickled or foreign checkpoint; made now if it is not there yet.

    The folder's name is the digest of the checkpoint and its configs: a changed file is converted anew. statistics: of
    the mels that a foreign generator hears, if they have a file of their own.
    """
    digest = hashlib.sha256(f"hifigan {CONVERTER_VERSION}\n".encode())
    sources = [weights, *configs, *([statistics] if statistics else [])]
    for file in sources:
        digest.update(file_digest(file).encode())
    folder = cache_root() / "vocoder" / digest.hexdigest()[:32]
    if (folder / WEIGHTS_NAME).is_file() and (folder / CONFIG_NAME).is_file():
        return folder
    stored = _read_safetensors(weights) if weights.suffix == ".safetensors" else _read_pickled(weights)
    state = fold_weight_norm(own_state(stored, sources, str(weights)), str(weights))
    config, mel = _matching_config(state, configs, str(weights))
    build_generator(config, state, str(weights))
    text = json.dumps(to_published_json(config, mel), indent=2, sort_keys=True) + "\n"
    tensors = {name: tensor.float().contiguous() for name, tensor in state.items()}
    try:
        write_folder(folder, {WEIGHTS_NAME: tensors, CONFIG_NAME: text})
    except OSError as error:
        todo = "Free space there, or name another folder in SPEECHKD_CACHE"
        raise ResourceError(
            "cannot keep the converted vocoder", where=str(folder), why=str(error), todo=todo
        ) from error
    return folder


def _read_safetensors(path: Path) -> State:
    try:
        return load_file(path)
    except (SafetensorError, OSError) as error:
        raise DataError("vocoder weights cannot be read", where=str(path), why=str(error)) from error


def _read_pickled(path: Path) -> State:
    """The generator's state dict in a checkpoint written by torch.save, by itself or under `generator`."""
    try:
        content: Any = torch.load(path, map_location="cpu", weights_only=True)
    except _LOAD_ERRORS as error:
        first_line = str(error).strip().split("\n")[0][:200] or type(error).__name__
        todo = "Give a checkpoint that holds tensors only, saved by torch.save"
        raise DataError("checkpoint cannot be read safely", where=str(path), why=first_line, todo=todo) from error
    state = content.get("generator", content) if isinstance(content, dict) else content
    if not isinstance(state, dict) or not state or not all(isinstance(value, Tensor) for value in state.values()):
        why = "neither the file nor its entry 'generator' is a plain table of tensors"
        raise DataError("not a HiFi-GAN generator", where=str(path), why=why)
    return {str(name): value for name, value in state.items()}


_NORM_FORMS = (
    (".weight_g", ".weight_v"),
    (".parametrizations.weight.original0", ".parametrizations.weight.original1"),
)


def fold_weight_norm(state: Mapping[str, Tensor], where: str) -> State:
    """float32 weights with weight norm folded: w = g * v / |v|, norms over all but the first axis.

    Takes torch's old form (weight_g, weight_v), the new one (parametrizations) and folded weights alike.
    """
    folded: State = {}
    for name, tensor in state.items():
        for gain, direction in _NORM_FORMS:
            if name.endswith(direction):
                stem = name.removesuffix(direction)
                if stem + gain not in state:
                    raise DataError(f"checkpoint has {name} without its gain {stem + gain}", where=where)
                folded[stem + ".weight"] = _normed(state[stem + gain], tensor)
                break
            if name.endswith(gain):
                break
        else:
            folded[name] = tensor.float()
    for name, tensor in folded.items():
        if not torch.isfinite(tensor).all():
            raise DataError(f"{name} holds NaN or infinite values", where=where, todo="Get the checkpoint again")
    return folded


def _normed(gain: Tensor, direction: Tensor) -> Tensor:
    vectors = direction.float()
    norm = vectors.flatten(1).norm(dim=1).reshape(-1, *[1] * (vectors.dim() - 1))
    folded: Tensor = vectors * (gain.float() / norm)
    return folded


def _shape_problem(config: HifiGanConfig, state: Mapping[str, Tensor]) -> str | None:
    """The first difference between the parameters of `config` and `state`, or None."""
    with torch.device("meta"):
        expected = {name: tuple(tensor.shape) for name, tensor in HifiGan(config).state_dict().items()}
    for name, shape in expected.items():
        if name not in state:
            return f"{name} is missing"
        if tuple(state[name].shape) != shape:
            return f"{name} has shape {tuple(state[name].shape)}, the config makes it {shape}"
    extra = sorted(set(state) - set(expected))
    return f"{extra[0]} is not in the config's generator" if extra else None


def _matching_config(state: State, configs: Sequence[Path], where: str) -> tuple[HifiGanConfig, MelShape]:
    """The config file that fits the weights, or the published shape that does if there is no file."""
    if not configs:
        return _published_match(state, where)
    parsed = [read_config(path) for path in configs]
    fitting = [pair for pair in parsed if _shape_problem(pair[0], state) is None]
    if not fitting:
        why = f"{configs[0].name}: {_shape_problem(parsed[0][0], state)}"
        raise DataError("weights do not fit the HiFi-GAN config", where=where, why=why)
    if any(pair != fitting[0] for pair in fitting):
        names = ", ".join(path.name for path in configs)
        raise DataError("several configs fit the vocoder", where=where, why=names, todo="Keep one beside the weights")
    return fitting[0]


def _published_match(state: State, where: str) -> tuple[HifiGanConfig, MelShape]:
    for config in PUBLISHED.values():
        if _shape_problem(config, state) is None:
            return config, MelShape.published()
    why = "there is no config*.json, and the shapes are none of the published V1, V2, V3"
    raise DataError("not a known HiFi-GAN generator", where=where, why=why, todo="Put its config.json beside it")
