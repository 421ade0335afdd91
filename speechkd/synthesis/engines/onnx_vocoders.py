"""What surrounds the graph of each kind of vocoder. Imports no torch."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import numpy as np

from speechkd.errors import ArtifactError
from speechkd.models.vocoder.istft_config import IstftConfig
from speechkd.models.vocoder.istft_numpy import Filters, speak
from speechkd.synthesis.engines.interface import FloatArray
from speechkd.synthesis.manifest import HifiGanPart, IstftPart, VoiceManifest

# mel (F, n_mels) -> samples (F * hop,)
OnnxVocoder = Callable[[FloatArray], FloatArray]


class RunsGraph(Protocol):
    """A loaded graph: inputs by name to outputs by name."""

    def __call__(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Run it."""
        ...


class HifiGanGraph:
    """A generator whose graph maps `mel` (1, n_mels, F) to `samples` (1, F * hop)."""

    def __init__(self, graph: RunsGraph) -> None:
        self._graph = graph

    def __call__(self, mel: FloatArray) -> FloatArray:
        """mel (F, n_mels), natural log, to samples (F * hop,)."""
        samples: FloatArray = self._graph({"mel": np.ascontiguousarray(mel.T)[None]})["samples"][0]
        return samples


class IstftGraph:
    """A network whose graph maps `mel` (1, n_mels, F) to the fields of Filters; the rest is numpy."""

    def __init__(self, graph: RunsGraph, config: IstftConfig) -> None:
        self._graph, self._config = graph, config

    def __call__(self, mel: FloatArray) -> FloatArray:
        """mel (F, n_mels), natural log, to samples (F * hop,)."""
        return speak(self.filters, mel, self._config)

    def filters(self, mel: FloatArray) -> Filters:
        """The network alone, of a mel (1, n_mels, F)."""
        return Filters(**self._graph({"mel": mel}))


class Shifted:
    """A vocoder that hears mels `level_db` louder than they are, and whose samples are made that much softer.

    See `speechkd.models.vocoder.load.NetworkVocoder`.
    """

    def __init__(self, vocoder: OnnxVocoder, level_db: float) -> None:
        self._vocoder = vocoder
        self._shift = level_db / 20.0 * math.log(10.0)

    def __call__(self, mel: FloatArray) -> FloatArray:
        """mel (F, n_mels), natural log, to samples (F * hop,)."""
        return self._vocoder(mel + np.float32(self._shift)) * np.float32(math.exp(-self._shift))


def make_vocoder(manifest: VoiceManifest, graph: RunsGraph, where: str) -> OnnxVocoder:
    """The vocoder of a voice around its graph; ArtifactError for a kind that has no graphs."""
    part = manifest.vocoder
    if isinstance(part, HifiGanPart):
        return Shifted(HifiGanGraph(graph), part.level_db)
    if isinstance(part, IstftPart):
        return Shifted(IstftGraph(graph, part.config), part.level_db)
    why = f"a vocoder {part.type} has no onnx form"
    raise ArtifactError("the voice's onnx graphs cannot be used", where=where, why=why, todo="Update speechkd")
