"""What rebuilds a Transformer TTS. Importing this module does not import torch."""

from __future__ import annotations

import math
from collections.abc import Iterable

from pydantic import Field

from speechkd.config import Config
from speechkd.models.common.config import FftConfig

_PAPER_FFT = FftConfig(layers=6, heads=2, conv_channels=1024, conv_kernel=3, dropout=0.1)


class PrenetConfig(Config):
    """The bottleneck that the last frame passes on its way into the decoder."""

    layers: int = Field(3, ge=1, description="fully connected layers with ReLU and dropout")
    channels: int = Field(256, ge=1, description="channels of each layer")
    dropout: float = Field(0.5, ge=0, lt=1, description="after each layer; what keeps the decoder reading the text")
    dropout_at_inference: bool = Field(True, description="drop when speaking too, by a draw from the seed alone")


class PostnetConfig(Config):
    """Convolutions that add a correction to the finished mel (Tacotron 2, section 2.2); 0 layers: none."""

    layers: int = Field(0, ge=0, description="number of convolutions; 0 leaves the mel as the decoder made it")
    channels: int = Field(256, ge=1, description="channels of each convolution")
    kernel: int = Field(5, ge=1, description="kernel of each convolution, odd")
    dropout: float = Field(0.1, ge=0, lt=1, description="after each tanh")


class StopConfig(Config):
    """When the decoder has spoken to the end."""

    threshold: float = Field(0.5, gt=0, lt=1, description="probability of the stop token that ends an utterance")
    positive_weight: float = Field(
        6.0, gt=0, description="weight of the one step that stops in the loss, among those that do not"
    )
    max_frames_per_token: float = Field(20.0, gt=0, description="an utterance of T tokens ends after this times T ...")
    max_frames_more: int = Field(100, ge=0, description="... and these frames, whatever the stop token says")

    def limit(self, n_tokens: int) -> int:
        """The most frames that a text of so many tokens may take."""
        return math.ceil(self.max_frames_per_token * n_tokens) + self.max_frames_more


class WindowConfig(Config):
    """Speaking freely, some layers read the text from front to back (after Deep Voice 3, Ping et al. 2018).

    They see the token that they are at and the next ones. The attention that falls on the next ones at each step is
    taken for the probability of going on: when having gone on is more likely than not, they do. So a pause, in which
    silence follows silence, ends where pauses usually end. The utterance ends in the same way, and not before its last
    tokens are reached. Teacher-forced passes are not held.
    """

    layers: tuple[int, ...] = Field((-2, -1), description="decoder layers that are held; negative ones from the last")
    ahead: int = Field(3, ge=1, description="tokens after the last one; pauses that last no frame are tokens too")


class TransformerNetwork(Config):
    """Sizes of a Transformer TTS; the defaults are those of FastSpeech's teacher."""

    hidden: int = Field(384, ge=2, description="channels of all states")
    encoder: FftConfig = _PAPER_FFT
    decoder: FftConfig = _PAPER_FFT
    prenet: PrenetConfig = PrenetConfig()
    postnet: PostnetConfig = PostnetConfig()
    stop: StopConfig = StopConfig()
    window: WindowConfig | None = Field(None, description="absent: every frame may look at the whole text")
    reduction: int = Field(1, ge=1, description="frames that the decoder makes at each step")
    learned_position_scale: bool = Field(True, description="position codes are added with a learned weight, from 1")
    token_position_rate: float = Field(
        1.0, gt=0, description="positions per token; near the frames per token, text and speech keep the same pace"
    )

    def problems(self) -> Iterable[tuple[str, str]]:
        """Sizes that do not fit together."""
        for name, stack in (("encoder", self.encoder), ("decoder", self.decoder)):
            if self.hidden % stack.heads:
                yield f"{name}.heads", f"{stack.heads} heads do not divide the hidden size {self.hidden}"
        if self.window and not self.window.layers:
            yield "window.layers", "no layer is held: leave the window out"
        for layer in self.window.layers if self.window else ():
            if not -self.decoder.layers <= layer < self.decoder.layers:
                yield "window.layers", f"there is no layer {layer} among {self.decoder.layers}"
        if self.postnet.kernel % 2 == 0:
            yield "postnet.kernel", f"must be odd, not {self.postnet.kernel}"


class TransformerConfig(Config):
    """Everything that rebuilds a Transformer TTS without its training data."""

    network: TransformerNetwork = TransformerNetwork()
    n_symbols: int = Field(ge=1)
    n_mels: int = Field(ge=1)
    speakers: tuple[str, ...] = Field((), description="names; with two or more, each has an embedding")
    mel_mean: tuple[float, ...] = Field(description="of the training recordings, per band, natural log")
    mel_deviation: tuple[float, ...]
    head: tuple[int, int] | None = Field(
        None, description="layer and head whose attention gives durations; absent: the sharpest of each utterance"
    )

    def problems(self) -> Iterable[tuple[str, str]]:
        """Statistics of another mel, a head that is not there."""
        for name in ("mel_mean", "mel_deviation"):
            if len(getattr(self, name)) != self.n_mels:
                yield name, f"{len(getattr(self, name))} values for {self.n_mels} mel bands"
        decoder = self.network.decoder
        if self.head and not (0 <= self.head[0] < decoder.layers and 0 <= self.head[1] < decoder.heads):
            yield "head", f"{list(self.head)} is not among {decoder.layers} layers of {decoder.heads} heads"
