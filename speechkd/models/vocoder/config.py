"""Shapes of the HiFi-GAN generator: the three published ones by name, and any other read from a JSON file."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from speechkd.errors import DataError


class HifiGanConfig(BaseModel):
    """Shape of a generator (Kong et al., HiFi-GAN, NeurIPS 2020, appendix A.1).

    Per upsampling step i the channels halve, time grows `upsample_rates[i]`-fold, and the mean of one residual
    block per entry of `resblock_kernel_sizes` is taken. `resblock`: "1" has a second, undilated convolution
    behind each dilated one, "2" has not. `normalize_before`: the generator subtracts a mean from each mel band and
    divides by a scale, which are among its weights.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    resblock: Literal["1", "2"] = "1"
    n_mels: int = 80
    upsample_rates: tuple[int, ...]
    upsample_kernel_sizes: tuple[int, ...]
    upsample_initial_channel: int
    resblock_kernel_sizes: tuple[int, ...]
    resblock_dilation_sizes: tuple[tuple[int, ...], ...]
    leaky_relu_slope: float = 0.1
    normalize_before: bool = False

    @model_validator(mode="after")
    def _shapes_fit(self) -> HifiGanConfig:
        if len(self.upsample_rates) != len(self.upsample_kernel_sizes):
            raise ValueError("upsample_rates and upsample_kernel_sizes differ in length")
        if len(self.resblock_kernel_sizes) != len(self.resblock_dilation_sizes):
            raise ValueError("resblock_kernel_sizes and resblock_dilation_sizes differ in length")
        if any(k < r or (k - r) % 2 for r, k in zip(self.upsample_rates, self.upsample_kernel_sizes, strict=True)):
            raise ValueError("each upsampling kernel must be its rate plus an even number")
        if any(k % 2 == 0 for k in self.resblock_kernel_sizes):
            raise ValueError("kernels of residual blocks must be odd")
        if self.upsample_initial_channel % 2 ** len(self.upsample_rates):
            raise ValueError("upsample_initial_channel cannot be halved at every upsampling step")
        return self

    @property
    def hop_samples(self) -> int:
        """Samples made per mel frame."""
        return math.prod(self.upsample_rates)


HIFIGAN_V1 = HifiGanConfig(
    resblock="1",
    upsample_rates=(8, 8, 2, 2),
    upsample_kernel_sizes=(16, 16, 4, 4),
    upsample_initial_channel=512,
    resblock_kernel_sizes=(3, 7, 11),
    resblock_dilation_sizes=((1, 3, 5),) * 3,
)
HIFIGAN_V2 = HIFIGAN_V1.model_copy(update={"upsample_initial_channel": 128})
HIFIGAN_V3 = HifiGanConfig(
    resblock="2",
    upsample_rates=(8, 8, 4),
    upsample_kernel_sizes=(16, 16, 8),
    upsample_initial_channel=256,
    resblock_kernel_sizes=(3, 5, 7),
    resblock_dilation_sizes=((1, 2), (2, 6), (3, 12)),
)
PUBLISHED: dict[str, HifiGanConfig] = {"V1": HIFIGAN_V1, "V2": HIFIGAN_V2, "V3": HIFIGAN_V3}


class MelShape(BaseModel):
    """The mel spectrogram that a generator was trained on, as far as its JSON file tells."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    sample_rate: int
    n_fft: int
    hop_samples: int
    win_samples: int
    n_mels: int
    fmin_hz: float
    fmax_hz: float

    @classmethod
    def published(cls) -> MelShape:
        """The mel of the published V1, V2 and V3 models (LJSpeech, VCTK, universal)."""
        return cls(
            sample_rate=22050, n_fft=1024, hop_samples=256, win_samples=1024, n_mels=80, fmin_hz=0.0, fmax_hz=8000.0
        )


# Our names for the keys of the JSON files that published checkpoints carry.
_MEL_KEYS = {
    "sample_rate": "sampling_rate",
    "n_fft": "n_fft",
    "hop_samples": "hop_size",
    "win_samples": "win_size",
    "n_mels": "num_mels",
    "fmin_hz": "fmin",
    "fmax_hz": "fmax",
}


def parse_published_json(raw: Mapping[str, Any], where: str) -> tuple[HifiGanConfig, MelShape]:
    """Generator shape and mel of a published config file's content; DataError naming what is missing or wrong."""
    generator = {name: raw[name] for name in HifiGanConfig.model_fields if name in raw}
    if "num_mels" in raw:
        generator["n_mels"] = raw["num_mels"]
    generator["resblock"] = str(raw.get("resblock", "1"))
    mel = {ours: raw[theirs] for ours, theirs in _MEL_KEYS.items() if theirs in raw}
    if "fmax_hz" in mel and mel["fmax_hz"] is None and "sample_rate" in mel:
        mel["fmax_hz"] = mel["sample_rate"] / 2
    try:
        config, shape = HifiGanConfig.model_validate(generator), MelShape.model_validate(mel)
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(map(str, first["loc"]))
        key = _MEL_KEYS.get(name, name)
        raise DataError(
            "not a HiFi-GAN config", where=where, why=f"{key}: {first['msg']}" if key else first["msg"]
        ) from error
    if config.hop_samples != shape.hop_samples:
        why = f"upsample_rates multiply to {config.hop_samples}, hop_size is {shape.hop_samples}"
        raise DataError("HiFi-GAN config contradicts itself", where=where, why=why)
    return config, shape


def to_published_json(config: HifiGanConfig, mel: MelShape) -> dict[str, Any]:
    """The keys of a published config file that `parse_published_json` reads."""
    # What the published code does not know is written where it matters alone.
    own = {name for name in ("leaky_relu_slope", "normalize_before") if getattr(config, name) == _default(name)}
    shape = config.model_dump(mode="json", exclude={"n_mels", *own})
    return shape | {theirs: getattr(mel, ours) for ours, theirs in _MEL_KEYS.items()}


def _default(name: str) -> object:
    return HifiGanConfig.model_fields[name].default
