"""Vocoders: from mel spectrograms to samples."""
