"""The one training loop, its checkpoints, seeds and pictures."""
