"""How a graph stores its weights: smaller, where that loses nothing or little."""

from __future__ import annotations

import logging
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from onnx import ModelProto

_LEAST_VALUES = 1024


def in_half_precision(model: ModelProto) -> ModelProto:
    """The graph with those weights in float16 that float16 holds exactly; they are float32 again when it is loaded.

    So a voice that was packed in half precision has graphs of half the size, which compute the same.
    """
    from onnx import helper, numpy_helper

    casts = []
    for tensor in model.graph.initializer:
        values = numpy_helper.to_array(tensor)
        if values.dtype != np.float32 or values.size < _LEAST_VALUES or not _is_half(values):
            continue
        name = tensor.name
        tensor.CopyFrom(numpy_helper.from_array(values.astype(np.float16), f"{name}/half"))
        casts.append(helper.make_node("Cast", [f"{name}/half"], [name], f"{name}/cast", to=1))
    nodes = [*casts, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    return model


def _is_half(values: np.ndarray) -> bool:
    with np.errstate(over="ignore"):
        return bool(np.array_equal(values.astype(np.float16).astype(np.float32), values))


def in_eight_bits(model: ModelProto) -> ModelProto:
    """The graph with 8-bit matrices, one factor per column; what they are multiplied with is quantised as it comes.

    Weights use seven of the bits: processors without VNNI add two products in 16 bits, which eight would overflow, and
    the same voice must sound the same everywhere.
    """
    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic

    with tempfile.TemporaryDirectory(prefix="speechkd_int8_") as work:
        target = Path(work) / "graph.onnx"
        disabled = logging.root.manager.disable
        # It recommends a preparation that the exporter has done already.
        logging.disable(logging.WARNING)
        try:
            quantize_dynamic(
                model,
                target,
                op_types_to_quantize=["MatMul"],
                per_channel=True,
                reduce_range=True,
                weight_type=QuantType.QInt8,
            )
        finally:
            logging.disable(disabled)
        quantised: Any = onnx.load(target)
    quantised.producer_name, quantised.producer_version = model.producer_name, ""
    return quantised
