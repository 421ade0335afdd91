"""The networks of a voice in onnxruntime, from the onnx graphs beside voice.json. Imports no torch.

    numbers -> encoder.onnx -> durations (numpy) -> decoder.onnx -> mel -> vocoder.onnx -> samples

The graphs are those that `speechkd.synthesis.export` writes. Durations are computed between two graphs and not in one:
they are then rounded by the same arithmetic as torch's, in double precision, and are known before the decoder runs.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from onnxruntime.capi import onnxruntime_pybind11_state as state

from speechkd.errors import ArtifactError
from speechkd.synthesis import manifest as files
from speechkd.synthesis.engines.durations import Frames, at_pace, frames_of
from speechkd.synthesis.engines.interface import Delivery, EngineName, FloatArray, Predicted
from speechkd.synthesis.engines.vocoders import EngineVocoder, make_vocoder
from speechkd.synthesis.manifest import OnnxPart, VoiceManifest

# They have no common base below Exception.
_GRAPH_ERRORS = (
    state.Fail, state.InvalidArgument, state.InvalidGraph, state.InvalidProtobuf, state.NoSuchFile,
    state.NotImplemented, state.RuntimeException, RuntimeError, ValueError,
)  # fmt: skip
_ERRORS_ONLY = 3
#: Unless told otherwise: with more, a sentence is said hardly sooner, and the last digits of its samples are others.
MOST_THREADS = 2
_AGAIN = "Export the voice again: speechkd export"


class Graph:
    """One onnx file, ready to run."""

    def __init__(self, path: Path, threads: int | None) -> None:
        self._path = path
        options = onnxruntime.SessionOptions()
        options.log_severity_level = _ERRORS_ONLY
        options.intra_op_num_threads = threads or min(os.cpu_count() or 1, MOST_THREADS)
        # Threads that wait by spinning burn a processor that others may need, and save next to nothing here.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            self._session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        except _GRAPH_ERRORS as error:
            raise _damaged("the onnx graph cannot be read", path, error) from error
        self._inputs = tuple(each.name for each in self._session.get_inputs())
        self.outputs = tuple(each.name for each in self._session.get_outputs())

    def __call__(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """The outputs by name; of `values` those that are inputs of the graph are taken. ArtifactError."""
        try:
            made = self._session.run(None, {name: values[name] for name in self._inputs})
        except KeyError as error:
            raise _damaged(f"the onnx graph wants an unknown input {error}", self._path, None) from error
        except _GRAPH_ERRORS as error:
            raise _damaged("the onnx graph cannot run", self._path, error) from error
        return dict(zip(self.outputs, made, strict=True))


def _damaged(what: str, path: Path, error: Exception | None) -> ArtifactError:
    why = " ".join(str(error).split())[:300] if error else None
    return ArtifactError(what, where=str(path), why=why, todo=_AGAIN)


class OnnxEngine:
    """Runs the graphs of one voice. Nothing is drawn by chance: the seed changes nothing."""

    name: EngineName = "onnx"
    step_counts: tuple[int, ...] = ()  # models with steps have no graphs

    def __init__(self, part: OnnxPart, encoder: Graph, decoder: Graph, vocoder: EngineVocoder | None) -> None:
        self._part = part
        self._encoder, self._decoder, self._vocoder = encoder, decoder, vocoder
        self._silent_ids = None if part.silent_ids is None else frozenset(part.silent_ids)
        self.controls = frozenset[str](part.controls)
        self.has_vocoder = vocoder is not None
        self.shifts_pitch = vocoder is not None and vocoder.shifts_pitch

    def seeded(self, seed: int) -> AbstractContextManager[None]:
        """See `Engine.seeded`."""
        return nullcontext()

    def predict(self, numbers: Sequence[int], delivery: Delivery) -> Predicted:
        """See `Engine.predict`."""
        values: dict[str, Any] = {
            "tokens": np.asarray([list(numbers)], np.int64),
            "speaker": np.asarray([delivery.speaker], np.int64),
            "pitch_factor": np.asarray(2.0 ** (delivery.pitch / 12.0), np.float32),
            "energy_factor": np.asarray(delivery.energy, np.float32),
        }
        values |= self._encoder(values)
        durations = self._durations(values["log_durations"][0], numbers, delivery)
        n_frames = int(durations.sum())
        if not n_frames:
            return Predicted(0, durations, None)
        made = self._decoder(values | {"token_of_frame": np.repeat(np.arange(len(durations)), durations)})
        if "samples" in made:
            return Predicted(n_frames, durations, None, made["samples"][0])
        return Predicted(n_frames, durations, made["mel"][0])

    def _durations(self, log_durations: FloatArray, numbers: Sequence[int], delivery: Delivery) -> Frames:
        frames = frames_of(log_durations, numbers, self._silent_ids)
        speeds = delivery.speeds(len(numbers))
        return frames if speeds is None else at_pace(frames, log_durations, speeds)

    def vocode(self, mel: FloatArray, pitch: FloatArray | None = None) -> FloatArray | None:
        """See `Engine.vocode`."""
        return None if self._vocoder is None else self._vocoder(mel, pitch)

    def vocode_early(
        self, mel: FloatArray, first_frames: int, pitch: FloatArray | None = None
    ) -> Iterator[FloatArray] | None:
        """See `Engine.vocode_early`."""
        return None if self._vocoder is None else self._vocoder.early(mel, first_frames, pitch)


def load_onnx_engine(folder: Path, manifest: VoiceManifest, threads: int | None) -> OnnxEngine:
    """The engine of a voice whose files are checked already. ArtifactError for graphs that cannot be used."""
    if manifest.onnx is None:
        raise ArtifactError("the voice has no onnx graphs", where=str(folder), todo=_AGAIN)
    graphs = {name: Graph(folder / name, threads) for name in manifest.onnx_files()}
    vocoder = graphs.get(files.VOCODER_ONNX)
    return OnnxEngine(
        manifest.onnx,
        graphs[files.ENCODER_ONNX],
        graphs[files.DECODER_ONNX],
        None if vocoder is None else make_vocoder(manifest, vocoder, str(folder)),
    )
