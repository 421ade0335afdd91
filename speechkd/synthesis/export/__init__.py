"""From networks in torch to onnx graphs that `speechkd.synthesis.engines.onnx_engine` runs without torch."""
