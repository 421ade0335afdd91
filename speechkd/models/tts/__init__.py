"""Text to mel: acoustic models."""
