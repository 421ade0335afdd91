"""A subset of the Speech Synthesis Markup Language 1.1 (W3C, 2010), read safely and with a place for every error."""

from speechkd.text.ssml.blocks import Block, blocks_of
from speechkd.text.ssml.lines import items_of_block

__all__ = ["Block", "blocks_of", "items_of_block"]
