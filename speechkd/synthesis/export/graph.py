"""One network as one onnx graph of any length."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.export import Dim

from speechkd.errors import missing_extra

if TYPE_CHECKING:
    from onnx import ModelProto

OPSET = 20


def graph_of(
    network: nn.Module, inputs: dict[str, Tensor], outputs: Sequence[str], any_length: dict[str, int]
) -> ModelProto:
    """The graph of `network`, called with `inputs` in their order; `any_length`: the axis of each input that may vary.

    The same weights give the same bytes: what tells where and when it was made is left out. Raises ResourceError when
    a package is lacking.
    """
    for package in ("onnx", "onnxscript"):
        _require(package)
    shapes = tuple({any_length[name]: Dim.DYNAMIC} if name in any_length else None for name in inputs)
    with _quiet(), torch.no_grad():
        program: Any = torch.onnx.export(
            network.eval(),
            tuple(inputs.values()),
            dynamo=True,
            dynamic_shapes=shapes,
            input_names=list(inputs),
            output_names=list(outputs),
            opset_version=OPSET,
            external_data=False,
            verbose=False,
        )
    return _plain(program.model_proto)


def _require(package: str) -> None:
    from importlib.util import find_spec

    if find_spec(package) is None:
        raise missing_extra(package, "export", "exporting a voice")


def _plain(model: ModelProto) -> ModelProto:
    """The graph without descriptions: they hold paths of the machine that it was made on."""
    model.producer_name, model.producer_version, model.doc_string = "speechkd", "", ""
    for owner in (model, model.graph, *model.graph.node, *model.graph.input, *model.graph.output,
                  *model.graph.value_info, *model.graph.initializer):  # fmt: skip
        owner.doc_string = ""
        del owner.metadata_props[:]
    # Shapes between the nodes are found again when the graph is loaded.
    del model.graph.value_info[:]
    return model


@contextmanager
def _quiet() -> Iterator[None]:
    """The exporter tells of optional packages that it looked for; nothing of it is for the user."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "onnxscript", "onnx_ir")]
    levels = [each.level for each in loggers]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for each in loggers:
            each.setLevel(logging.ERROR)
        try:
            yield
        finally:
            for each, level in zip(loggers, levels, strict=True):
                each.setLevel(level)
