"""What surrounds the network of each kind of vocoder, in either engine. Imports no torch."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from typing import Any, Protocol

import numpy as np

from speechkd.errors import ArtifactError
from speechkd.models.vocoder import istft_numpy
from speechkd.models.vocoder.istft_config import IstftConfig
from speechkd.synthesis.engines.interface import FloatArray
from speechkd.synthesis.manifest import HifiGanPart, IstftPart, VoiceManifest


class EngineVocoder(Protocol):
    """Mel (F, n_mels), natural log, to samples (F * hop,)."""

    shifts_pitch: bool

    def __call__(self, mel: FloatArray, pitch: FloatArray | None = None) -> FloatArray:
        """pitch (F,): factors on the pitch of the mel, only where it `shifts_pitch`."""
        ...

    def early(self, mel: FloatArray, first_frames: int, pitch: FloatArray | None = None) -> Iterator[FloatArray]:
        """The same, its first frames before the rest if it can."""
        ...


class RunsNetwork(Protocol):
    """A loaded network: inputs by name to outputs by name."""

    def __call__(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Run it."""
        ...


class WholeMels(ABC):
    """A vocoder that needs the whole mel, and that keeps to its pitch. `run` maps (F, n_mels) to (F * hop,)."""

    shifts_pitch = False

    def __call__(self, mel: FloatArray, pitch: FloatArray | None = None) -> FloatArray:
        """See `EngineVocoder`."""
        if pitch is not None:
            raise ValueError("this vocoder keeps to the pitch of the mel")
        return self.run(mel)

    def early(self, mel: FloatArray, first_frames: int, pitch: FloatArray | None = None) -> Iterator[FloatArray]:
        """See `EngineVocoder`."""
        yield self(mel, pitch)

    @abstractmethod
    def run(self, mel: FloatArray) -> FloatArray:
        """The samples."""


class HifiGanGraph(WholeMels):
    """A generator whose graph maps `mel` (1, n_mels, F) to `samples` (1, F * hop)."""

    def __init__(self, graph: RunsNetwork) -> None:
        self._graph = graph

    def run(self, mel: FloatArray) -> FloatArray:
        """See `WholeMels`."""
        samples: FloatArray = self._graph({"mel": np.ascontiguousarray(mel.T)[None]})["samples"][0]
        return samples


class Istft:
    """A network that maps `mel` (1, n_mels, F) to the fields of Filters; the rest is numpy."""

    shifts_pitch = True

    def __init__(self, network: RunsNetwork, config: IstftConfig) -> None:
        self._network, self._config = network, config

    def __call__(self, mel: FloatArray, pitch: FloatArray | None = None) -> FloatArray:
        """See `EngineVocoder`."""
        return istft_numpy.speak(self.filters, mel, self._config, pitch)

    def early(self, mel: FloatArray, first_frames: int, pitch: FloatArray | None = None) -> Iterator[FloatArray]:
        """See `EngineVocoder`."""
        return istft_numpy.stream(
            self.filters, mel, self._config, max(len(mel), 1), first_frames=first_frames, pitch=pitch
        )

    def filters(self, mel: FloatArray) -> istft_numpy.Filters:
        """The network alone, of a mel (1, n_mels, F)."""
        return istft_numpy.Filters(**self._network({"mel": mel}))


class Shifted:
    """A vocoder that hears mels `level_db` louder than they are, and whose samples are made that much softer.

    See `speechkd.models.vocoder.load.NetworkVocoder`.
    """

    def __init__(self, vocoder: EngineVocoder, level_db: float) -> None:
        self._vocoder = vocoder
        self.shifts_pitch = vocoder.shifts_pitch
        shift = level_db / 20.0 * math.log(10.0)
        self._shift, self._gain = np.float32(shift), np.float32(math.exp(-shift))

    def __call__(self, mel: FloatArray, pitch: FloatArray | None = None) -> FloatArray:
        """See `EngineVocoder`."""
        return self._vocoder(mel + self._shift, pitch) * self._gain

    def early(self, mel: FloatArray, first_frames: int, pitch: FloatArray | None = None) -> Iterator[FloatArray]:
        """See `EngineVocoder`."""
        for samples in self._vocoder.early(mel + self._shift, first_frames, pitch):
            yield samples * self._gain


def make_vocoder(manifest: VoiceManifest, graph: RunsNetwork, where: str) -> EngineVocoder:
    """The vocoder of a voice around its graph; ArtifactError for a kind that has no graphs."""
    part = manifest.vocoder
    if isinstance(part, HifiGanPart):
        return Shifted(HifiGanGraph(graph), part.level_db)
    if isinstance(part, IstftPart):
        return Shifted(Istft(graph, part.config), part.level_db)
    why = f"a vocoder {part.type} has no onnx form"
    raise ArtifactError("the voice's onnx graphs cannot be used", where=where, why=why, todo="Update speechkd")
