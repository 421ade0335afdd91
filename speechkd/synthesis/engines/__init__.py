"""What runs the networks of a voice: torch, or onnxruntime without torch. See `interface.Engine`."""
