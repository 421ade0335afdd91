"""The files of a vocoder, and whether its mel is the one wanted: what can be known without torch.

So a recipe can refuse a vocoder before the training that it would be used after.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path

from speechkd.audio.presets import MEL_PRESETS, MelPreset
from speechkd.errors import ConfigError, DataError, SpeechkdError
from speechkd.models.vocoder.config import HifiGanConfig, MelShape, parse_published_json
from speechkd.models.vocoder.foreign import HYPERPARAMS, STATISTICS, is_transformers, published_form, read_hyperparams
from speechkd.models.vocoder.istft_files import CONFIG_NAME, is_istft, read_istft_config

# The published training code saves generators as g_ and eight digits, without a suffix.
_PICKLE_NAME = re.compile(r"(.*\.(pt|pth|ckpt|bin)|g_\d+)", re.IGNORECASE)


def check_vocoder(path: Path, preset: MelPreset) -> None:
    """Raise the error that loading would raise, as far as it shows in the names of files and the JSON configs."""
    files = files_of(path)
    weights = the_weights(files, str(path))
    if is_istft(path):
        require_same_mel(read_istft_config(weights.parent / CONFIG_NAME)[1], preset, str(path))
        return
    shapes = [read_config(file)[1] for file in config_files(files)]
    # Which of several configs fits the weights is known when they are read.
    if shapes and all(shape != shape_of(preset) for shape in shapes):
        require_same_mel(shapes[0], preset, str(path))


def vocoder_problem(path: Path, preset: MelPreset) -> str | None:
    """What `check_vocoder` raises, as one line."""
    try:
        check_vocoder(path, preset)
    except SpeechkdError as error:
        return str(error)
    return None


def files_of(path: Path) -> list[Path]:
    """The file at `path` and what describes it beside it, or all files of the folder `path`."""
    if path.is_dir():
        return sorted(file for file in path.iterdir() if file.is_file())
    if not path.is_file():
        raise DataError("there is no vocoder", where=str(path), todo="Give the checkpoint or the folder that holds it")
    beside = (path.parent / HYPERPARAMS, path.parent / STATISTICS)
    return [path, *sorted(path.parent.glob("config*.json")), *(file for file in beside if file.is_file())]


def the_weights(files: Sequence[Path], where: str) -> Path:
    """The only file with weights; a safetensors file goes before pickled ones."""
    for wanted in (re.compile(r".*\.safetensors"), _PICKLE_NAME):
        found = [file for file in files if wanted.fullmatch(file.name)]
        if len(found) > 1:
            names = ", ".join(file.name for file in found)
            raise DataError("more than one vocoder checkpoint", where=where, why=names, todo="Give the file itself")
        if found:
            return found[0]
    names = ", ".join(file.name for file in files) or "nothing"
    todo = "Expected one of *.safetensors, *.pt, *.pth, *.ckpt, *.bin or g_<steps>"
    raise DataError("no vocoder checkpoint found", where=where, why=f"there is {names}", todo=todo)


def config_files(files: Sequence[Path]) -> list[Path]:
    """Those of the files that describe a generator."""
    ours = [file for file in files if file.suffix == ".json" and file.name.startswith("config")]
    return sorted(ours) or [file for file in files if file.name == HYPERPARAMS]


def read_config(path: Path) -> tuple[HifiGanConfig, MelShape]:
    """Generator shape and mel in a config file, ours or a foreign one; DataError naming what is missing or wrong."""
    if path.name == HYPERPARAMS:
        return parse_published_json(read_hyperparams(path), str(path))
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError("HiFi-GAN config cannot be read", where=str(path), why=str(error)) from error
    if not isinstance(raw, dict):
        raise DataError("HiFi-GAN config cannot be read", where=str(path), why="it is not a JSON object")
    return parse_published_json(published_form(raw) if is_transformers(raw) else raw, str(path))


def shape_of(preset: MelPreset) -> MelShape:
    """The numbers of a preset, in the form in which vocoders state theirs."""
    return MelShape(**{name: getattr(preset, name) for name in MelShape.model_fields})


def require_same_mel(mel: MelShape, preset: MelPreset, where: str) -> None:
    """ConfigError naming both presets and what differs, unless a vocoder's mel is that of `preset`."""
    wanted = shape_of(preset)
    if mel == wanted:
        return
    theirs = next((name for name, known in MEL_PRESETS.items() if shape_of(known) == mel), "none that has a name")
    differences = [
        f"{name} is {getattr(mel, name):g} and {getattr(wanted, name):g}"
        for name in MelShape.model_fields
        if getattr(mel, name) != getattr(wanted, name)
    ]
    raise ConfigError(
        f"the vocoder's mel preset ({theirs}) is not the features' ({preset.name})",
        where=where,
        why=", ".join(differences),
        todo="Choose a vocoder trained on the features' preset, or extract features with the vocoder's",
    )
