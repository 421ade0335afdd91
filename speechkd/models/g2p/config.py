"""Sizes of the spelling-to-sound network. Importing this module does not import torch."""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import Field

from speechkd.config import Config


class G2pNetworkConfig(Config):
    """An encoder of letters and a recurrent decoder that gives each letter its phones."""

    hidden: int = Field(192, ge=1, description="channels of the encoder")
    layers: int = Field(4, ge=1, description="encoder blocks")
    heads: int = Field(4, ge=1, description="attention heads; must divide hidden")
    inner: int = Field(512, ge=1, description="channels inside a block, behind its convolution over three letters")
    reach: int = Field(8, ge=1, description="distances between letters that attention tells apart, on either side")
    previous: int = Field(64, ge=1, description="channels of the phones of the letter before")
    decoder: int = Field(256, ge=1, description="state of the decoder")
    dropout: float = Field(0.1, ge=0, lt=1)
    forget: float = Field(0.1, ge=0, lt=1, description="share of letters whose predecessor's phones are hidden")

    def problems(self) -> Iterable[tuple[str, str]]:
        """Sizes that do not divide."""
        if self.hidden % self.heads:
            yield "heads", f"{self.heads} heads do not divide {self.hidden} channels"
