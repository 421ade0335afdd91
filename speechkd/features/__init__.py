"""What a model learns from beside the mel: pitch, energy and their statistics."""
