"""8-bit graphs were wrong on processors without VNNI, which add pairs of 8-bit products in 16 bits and saturate."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from speechkd.synthesis.export.weights import in_eight_bits

LARGEST_UNSIGNED, LARGEST_SIGNED_16 = 255, 2**15 - 1


def quantised(weights: np.ndarray) -> onnx.ModelProto:
    """x (1, K) @ weights (K, N) -> y, in 8 bits."""
    shapes = {"x": (1, weights.shape[0]), "y": (1, weights.shape[1])}
    infos = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in shapes.items()]
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"])],
        "g",
        infos[:1],
        infos[1:],
        [numpy_helper.from_array(weights, "w")],
    )
    return in_eight_bits(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9))


def test_no_pair_of_products_overflows_sixteen_bits() -> None:
    draw = np.random.default_rng(0)
    model = quantised(draw.normal(size=(64, 48)).astype(np.float32))
    stored = [numpy_helper.to_array(each) for each in model.graph.initializer if each.data_type == TensorProto.INT8]
    (integers,) = [each for each in stored if each.ndim == 2]
    assert 2 * LARGEST_UNSIGNED * int(np.abs(integers.astype(int)).max()) <= LARGEST_SIGNED_16


def test_large_sums_are_right_on_this_processor() -> None:
    """All weights and inputs near their largest: every pair of products is as large as it can be."""
    draw = np.random.default_rng(1)
    weights = draw.uniform(0.9, 1.0, size=(64, 48)).astype(np.float32)
    x = draw.uniform(0.9, 1.0, size=(1, 64)).astype(np.float32)
    session = onnxruntime.InferenceSession(quantised(weights).SerializeToString(), providers=["CPUExecutionProvider"])
    np.testing.assert_allclose(session.run(None, {"x": x})[0], x @ weights, rtol=0.01)
