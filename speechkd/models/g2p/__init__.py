"""Spelling to sound: the network that says words no lexicon lists."""
