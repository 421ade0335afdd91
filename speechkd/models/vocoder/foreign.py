"""HiFi-GAN generators as other toolkits store them: their configs, read as ours. Needs no torch.

Transformers (SpeechT5HifiGan, FastSpeech2ConformerHifiGan, alone or within FastSpeech2ConformerWithHifiGan): they hear
log10 mels from 80 to 7600 Hz with a transform of 1024 samples. SpeechT5's preprocessor_config.json says so, and for the
others ESPnet's `LogMelFbank`, which made their training data. SpeechBrain: hyperparams.yaml tells of the network alone;
the mel is that of its LJSpeech recipe, which equals the published HiFi-GAN's.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from speechkd.errors import DataError

HYPERPARAMS = "hyperparams.yaml"
STATISTICS = "feats_stats.npz"
_DEFAULT_RATE = {"speecht5_hifigan": 16000, "fastspeech2_conformer_hifigan": 22050}
# SpeechBrain's names for the keys of a published config file, where they differ.
_SPEECHBRAIN = {"resblock_type": "resblock", "upsample_factors": "upsample_rates", "in_channels": "num_mels"}
_SAME = ("resblock_kernel_sizes", "resblock_dilation_sizes", "upsample_kernel_sizes", "upsample_initial_channel")
_READ = {
    *_SPEECHBRAIN,
    *_SAME,
    "cond_channels",
    "sample_rate",
    "n_fft",
    "hop_length",
    "win_length",
    "mel_fmin",
    "mel_fmax",
}


def is_transformers(raw: Mapping[str, Any]) -> bool:
    """Whether a config.json is that of transformers, of the vocoder alone or of a model with it."""
    return "model_in_dim" in raw or "model_in_dim" in (raw.get("vocoder_config") or {})


def hears_normalised(raw: Mapping[str, Any]) -> bool:
    """Whether a generator of transformers normalises mels itself, by statistics that it carries."""
    return bool((raw.get("vocoder_config") or raw).get("normalize_before", True))


def published_form(raw: Mapping[str, Any]) -> dict[str, Any]:
    """A config of transformers with the keys of the published JSON files. It may lack some, as `raw` does."""
    own = raw.get("vocoder_config") or raw
    rate = own.get("sampling_rate", _DEFAULT_RATE.get(str(own.get("model_type")), 22050))
    mel = {
        "num_mels": own.get("model_in_dim"),
        "sampling_rate": rate,
        "n_fft": 1024,
        "hop_size": math.prod(own.get("upsample_rates", ())),
        "win_size": 1024,
        "fmin": 80.0,
        "fmax": 7600.0,
    }
    shape = {name: own[name] for name in (*_SAME, "upsample_rates", "leaky_relu_slope") if name in own}
    return {**mel, **shape, "resblock": "1", "normalize_before": True}


def read_hyperparams(path: Path) -> dict[str, Any]:
    """SpeechBrain's hyperparams.yaml with the keys of the published JSON files; DataError if it cannot be read."""
    raw = _plain_values(path)
    if raw.get("cond_channels"):
        raise DataError("a generator that wants more than mels", where=str(path), why="cond_channels is not 0")
    mel = {"sampling_rate": raw.get("sample_rate", 22050), "n_fft": raw.get("n_fft", 1024)}
    mel |= {"hop_size": raw.get("hop_length", 256), "win_size": raw.get("win_length", 1024)}
    mel |= {"fmin": raw.get("mel_fmin", 0.0), "fmax": raw.get("mel_fmax", 8000.0)}
    shape = {ours: raw[theirs] for theirs, ours in _SPEECHBRAIN.items() if theirs in raw}
    return {**mel, **shape, **{name: raw[name] for name in _SAME if name in raw}}


def _plain_values(path: Path) -> dict[str, Any]:
    """The top level of a YAML file without what its tags would make: references and objects."""
    import yaml

    try:
        loader = yaml.SafeLoader(path.read_text(encoding="utf-8"))
        root = loader.get_single_node()
        pairs = root.value if isinstance(root, yaml.MappingNode) else []
        wanted = [(key.value, value) for key, value in pairs if key.value in _READ]
        return {key: loader.construct_object(value, deep=True) for key, value in wanted}
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise DataError("HiFi-GAN config cannot be read", where=str(path), why=str(error).splitlines()[0]) from error


def statistics_file(files: Sequence[Path]) -> Path | None:
    """ESPnet's statistics of mels, if they are among the files."""
    return next((file for file in files if file.name == STATISTICS), None)
