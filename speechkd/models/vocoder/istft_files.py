"""The folder of an inverse-STFT vocoder: config.json, which names the model, beside generator.safetensors.

    {"config": {...}, "mel": {...}, "model": "istft"}

Importing this module does not import torch: a program that runs the network elsewhere reads the config with it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from speechkd.errors import DataError
from speechkd.models.vocoder.config import MelShape
from speechkd.models.vocoder.istft_config import MODEL, IstftConfig

CONFIG_NAME = "config.json"


def is_istft(path: Path) -> bool:
    """Whether the vocoder at `path`, a folder or a file in one, is of this kind, as its config.json says."""
    file = (path if path.is_dir() else path.parent) / CONFIG_NAME
    try:
        raw = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False  # another kind, or none: whoever reads it then says what is wrong
    return isinstance(raw, dict) and raw.get("model") == MODEL


def read_istft_config(path: Path) -> tuple[IstftConfig, MelShape]:
    """Sizes and mel in the file config.json; DataError naming what is missing or wrong."""
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
        return parse_istft_json(raw, str(path))
    except (OSError, ValueError) as error:
        raise DataError("the vocoder's config cannot be read", where=str(path), why=str(error)) from error


def parse_istft_json(raw: Any, where: str) -> tuple[IstftConfig, MelShape]:
    """Sizes and mel of the content of config.json; DataError naming what is missing or wrong."""
    if not isinstance(raw, dict) or raw.get("model") != MODEL:
        raise DataError("not an inverse-STFT vocoder", where=where, why=f'there is no "model": "{MODEL}"')
    try:
        config, mel = IstftConfig.model_validate(raw.get("config")), MelShape.model_validate(raw.get("mel"))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        why = ": ".join(filter(None, (".".join(map(str, first["loc"])), first["msg"])))
        raise DataError("the vocoder's config is wrong", where=where, why=why) from error
    for name, message in config.problems():
        raise DataError("the vocoder's config is wrong", where=where, why=f"{name}: {message}")
    if problem := mel_misfit(config, mel):
        raise DataError("the vocoder's config contradicts itself", where=where, why=problem)
    return config, mel


def mel_misfit(config: IstftConfig, mel: MelShape) -> str:
    """Why a network of these sizes cannot speak this mel; empty if it can."""
    if (config.hop_samples, config.n_mels) != (mel.hop_samples, mel.n_mels):
        made = f"{config.hop_samples} samples of {config.n_mels} bands"
        return f"the network makes {made} per frame, the mel has {mel.hop_samples} samples and {mel.n_mels} bands"
    if config.sample_rate != mel.sample_rate:
        return f"the network makes {config.sample_rate} samples per second, the mel is of {mel.sample_rate}"
    return ""


def istft_json(config: IstftConfig, mel: MelShape) -> str:
    """The text of config.json."""
    content = {"model": MODEL, "config": config.model_dump(mode="json"), "mel": mel.model_dump(mode="json")}
    return json.dumps(content, indent=2, sort_keys=True) + "\n"
