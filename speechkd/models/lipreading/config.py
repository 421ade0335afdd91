"""What rebuilds a lip reader. Importing this module does not import torch."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from pydantic import Field

from speechkd.config import Config
from speechkd.models.lipreading.characters import ENGLISH, EOS


class PixelConfig(Config):
    """What is done to grey frames before any layer."""

    mean: float = Field(0.421, description="of grey values between 0 and 1: LRW's")
    deviation: float = Field(0.165, gt=0, description="of grey values between 0 and 1: LRW's")
    shrink: int = Field(1, ge=1, description="average this many pixels by as many into one first, for speed")


class PaperFrontConfig(Config):
    """The front end of the paper: a convolution over time and space, then a ResNet-18 on every frame."""

    kind: Literal["paper"] = "paper"
    pixels: PixelConfig = PixelConfig()
    channels: int = Field(64, ge=1, description="of the first convolution; the ResNet ends with eight times as many")
    size: int = Field(512, ge=1, description="features of a frame")


class SmallFrontConfig(Config):
    """A front end for a CPU: a convolution over time and space, then two on every frame."""

    kind: Literal["small"] = "small"
    pixels: PixelConfig = PixelConfig()
    channels: int = Field(
        16, ge=1, description="of the first convolution; the others have twice and four times as many"
    )
    rows: int = Field(3, ge=1, description="rows that the last maps are averaged to")
    columns: int = Field(6, ge=1, description="columns that the last maps are averaged to")
    size: int = Field(128, ge=1, description="features of a frame")


class EncoderConfig(Config):
    """A bidirectional GRU over the frames."""

    layers: int = Field(2, ge=1)
    hidden: int = Field(256, ge=1, description="state of either direction")
    dropout: float = Field(0.3, ge=0, lt=1, description="before every layer and behind the last")


class DecoderConfig(Config):
    """A GRU over the characters, with additive attention to the frames."""

    hidden: int = Field(512, ge=1, description="state")
    embedding: int = Field(128, ge=1, description="features of the character before")
    attention: int = Field(256, ge=1, description="features in which states and frames are compared")
    dropout: float = Field(0.3, ge=0, lt=1, description="of the character before and of what is written from")
    longest: int = Field(100, ge=1, description="characters after which reading stops, the end included")


class LipNetworkConfig(Config):
    """Sizes of a lip reader; the defaults are those for PCPG's sentences."""

    front: PaperFrontConfig | SmallFrontConfig = Field(PaperFrontConfig(), discriminator="kind")
    encoder: EncoderConfig = EncoderConfig()
    decoder: DecoderConfig = DecoderConfig()
    ctc: bool = Field(False, description="a second output per frame, for a CTC loss beside the decoder's")


class LipReaderConfig(Config):
    """Everything that rebuilds a lip reader without its training data."""

    network: LipNetworkConfig = LipNetworkConfig()
    alphabet: str = Field(ENGLISH, min_length=1, description="the characters that it can write")
    crop_size: tuple[int, int] = Field((50, 100), description="height and width of its frames in pixels")

    @property
    def n_symbols(self) -> int:
        """Characters, and the three numbers that are none."""
        return EOS + 1 + len(self.alphabet)

    def problems(self) -> Iterable[tuple[str, str]]:
        """An alphabet that repeats itself; crops that shrink to nothing."""
        if len(set(self.alphabet)) != len(self.alphabet):
            yield "alphabet", f"{self.alphabet!r} holds a character twice"
        if min(self.crop_size) < self.network.front.pixels.shrink:
            yield "crop_size", f"{self.crop_size} has no pixels left when shrunk"
