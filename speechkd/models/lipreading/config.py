"""Sizes of a lip reader. Importing this module does not import torch."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from speechkd.config import Config
from speechkd.errors import ArtifactError

KIND, CONFIG = "lipreader", "model.json"
LETTERS = " 'abcdefghijklmnopqrstuvwxyz"


class PaperFrontEnd(Config):
    """One 3-D convolution and a ResNet-18 per frame: that of the lab's published word model."""

    name: Literal["paper"] = "paper"
    channels: int = Field(64, ge=1, description="of the 3-D convolution; the parts of the ResNet have 1 to 8 times")

    @property
    def features(self) -> int:
        """Values per frame."""
        return 8 * self.channels


class SmallFrontEnd(Config):
    """One 3-D convolution and two 2-D ones, for training on a CPU."""

    name: Literal["small"] = "small"
    channels: tuple[int, int, int] = Field((16, 32, 64), description="of the 3-D and of the two 2-D convolutions")
    kernel: tuple[int, int, int] = Field((5, 5, 5), description="frames, height and width of the 3-D kernel; odd")
    grid: tuple[int, int] = Field((3, 6), description="fields, down and across, that are told apart in a frame")
    features: int = Field(256, ge=1, description="values per frame")

    def problems(self) -> Iterable[tuple[str, str]]:
        """Kernels without a middle."""
        if any(size % 2 == 0 for size in self.kernel):
            yield "kernel", f"{self.kernel} has an even size; the frame in its middle would not be its own"


FrontEnd = Annotated[PaperFrontEnd | SmallFrontEnd, Field(discriminator="name")]


class EncoderConfig(Config):
    """GRU layers that read the frames both ways."""

    hidden: int = Field(256, ge=1, description="state per direction")
    layers: int = Field(2, ge=1)


class DecoderConfig(Config):
    """A GRU that writes characters, with additive attention to the frames and input feeding."""

    hidden: int = Field(512, ge=1, description="state")
    attention: int = Field(256, ge=1, description="channels in which states and frames are compared")
    embedding: int = Field(128, ge=1, description="channels of the character before")


class CropConfig(Config):
    """The frames that the network takes."""

    height: int = Field(50, ge=8, description="pixels")
    width: int = Field(100, ge=8, description="pixels")
    shrink: int = Field(1, ge=1, description="fields of so many pixels, squared, become one: cheaper on a CPU")
    mean: float = Field(0.421, description="grey level, of 1, that becomes 0")
    deviation: float = Field(0.165, gt=0, description="distance of grey levels, of 1, that becomes 1")

    def problems(self) -> Iterable[tuple[str, str]]:
        """Sizes that do not divide."""
        for name in ("height", "width"):
            if getattr(self, name) % self.shrink:
                yield "shrink", f"{self.shrink} does not divide the {name} {getattr(self, name)}"


class LipReaderConfig(Config):
    """What rebuilds a lip reader."""

    frontend: FrontEnd = PaperFrontEnd()
    encoder: EncoderConfig = EncoderConfig()
    decoder: DecoderConfig = DecoderConfig()
    crop: CropConfig = CropConfig()
    alphabet: str = Field(LETTERS, min_length=1, description="characters that can be written")
    dropout: float = Field(0.3, ge=0, lt=1, description="in front of, within and behind the encoder; in the decoder")
    max_characters: int = Field(64, ge=1, description="a sentence is cut off here if its end was not written")
    ctc: bool = Field(False, description="with an output per frame that connectionist temporal classification trains")

    def problems(self) -> Iterable[tuple[str, str]]:
        """Characters that cannot be told apart."""
        if len(set(self.alphabet)) != len(self.alphabet):
            yield "alphabet", "has a character twice"


def read_config(folder: Path) -> LipReaderConfig:
    """The sizes of the lip reader in a folder. ArtifactError when there is none."""
    try:
        content = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
        if content["model"] != KIND:
            raise ValueError(f"a model of the kind {content['model']!r}")
        return LipReaderConfig.model_validate(content["config"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise unreadable(folder, error) from error


def unreadable(folder: Path, error: Exception) -> ArtifactError:
    """The error for a folder that holds no lip reader, or a damaged one."""
    return ArtifactError(
        "the lip reader cannot be read",
        where=str(folder),
        why=" ".join(str(error).split())[:300],
        todo="Name the folder `model` of a finished run, or run its stage train again",
    )
