"""All graphs of a voice, from its networks to files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from speechkd.models.vocoder.load import Vocoder
from speechkd.runner.publish import write_file
from speechkd.synthesis.export.acoustic import AcousticGraphs, split_model
from speechkd.synthesis.export.graph import graph_of
from speechkd.synthesis.export.vocoder import vocoder_graph
from speechkd.synthesis.export.weights import in_eight_bits, in_half_precision
from speechkd.synthesis.manifest import DECODER_ONNX, ENCODER_ONNX, VOCODER_ONNX, OnnxPart

if TYPE_CHECKING:
    from onnx import ModelProto

# Lengths of the example that is traced: any two that differ, so that no axis is mistaken for another.
_N_TOKENS, _N_FRAMES = 7, 23


def check_graphs(acoustic: Any, vocoder: Vocoder | None) -> None:
    """ConfigError for networks that have no onnx form."""
    split_model(acoustic)
    if vocoder is not None:
        vocoder_graph(vocoder)


def write_graphs(folder: Path, acoustic: Any, vocoder: Vocoder | None, *, int8: bool = False) -> OnnxPart:
    """Write the graphs of a voice's networks into `folder`; what voice.json must say of them comes back.

    With `int8` the decoder has 8-bit matrices. The encoder keeps its weights: there a small error is rounded to a whole
    frame of a duration or to another bin of the pitch. So does the vocoder, whose convolutions onnxruntime computes
    slower in 8 bits. Raises ConfigError for networks that have no onnx form, before anything is written; ResourceError
    when a package is lacking.
    """
    halves = split_model(acoustic)
    network = None if vocoder is None else vocoder_graph(vocoder)
    graphs = dict(_acoustic_graphs(halves, acoustic, int8))
    if network is not None:
        mel = {"mel": torch.zeros(1, acoustic.config.n_mels, _N_FRAMES)}
        graphs[VOCODER_ONNX] = in_half_precision(graph_of(network.network, mel, network.outputs, {"mel": 2}))
    for name, graph in graphs.items():
        write_file(folder / name, graph.SerializeToString(deterministic=True))
    return OnnxPart(controls=halves.controls, silent_ids=halves.silent_ids, weights="int8" if int8 else "float32")


def _acoustic_graphs(halves: AcousticGraphs, model: Any, int8: bool) -> Iterator[tuple[str, ModelProto]]:
    inputs = {
        "tokens": torch.arange(_N_TOKENS)[None] % model.config.n_symbols,
        "speaker": torch.zeros(1, dtype=torch.long),
        "pitch_factor": torch.tensor(1.0),
        "energy_factor": torch.tensor(1.0),
    }
    encoder = graph_of(halves.encoder, inputs, halves.encoder_outputs, {"tokens": 1})
    yield ENCODER_ONNX, in_half_precision(encoder)
    with torch.no_grad():
        made: tuple[Tensor, ...] = halves.encoder(*inputs.values())
    known = inputs | dict(zip(halves.encoder_outputs, made, strict=True))
    known["token_of_frame"] = torch.arange(_N_FRAMES) * _N_TOKENS // _N_FRAMES
    decoder = graph_of(
        halves.decoder,
        {name: known[name] for name in halves.decoder_inputs},
        (halves.decoder_output,),
        {"states": 1, "token_of_frame": 0, "embedded": 1},
    )
    yield DECODER_ONNX, in_eight_bits(decoder) if int8 else in_half_precision(decoder)
