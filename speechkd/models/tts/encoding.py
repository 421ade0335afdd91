"""How a parallel model reads a text, and how every model is told who speaks."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from speechkd.models.common.fft import FftStack
from speechkd.models.common.masks import length_mask


class TextEncoder(nn.Module):
    """How FastSpeech and FastSpeech 2, which make the modules, begin: blocks over phonemes, then the speaker."""

    embedding: nn.Embedding
    encoder: FftStack
    speaker_embedding: nn.Embedding | None

    def _encode(self, tokens: Tensor, token_lengths: Tensor, speakers: Tensor | None) -> tuple[Tensor, Tensor]:
        """tokens: (B, T), token_lengths, speakers: (B,) -> states (B, T, C), mask (B, T) True at real tokens."""
        mask = length_mask(token_lengths, tokens.shape[1])
        states = self.encoder(self.embedding(tokens), mask)
        return with_speaker(states, self.speaker_embedding, token_lengths, speakers), mask


def with_speaker(
    states: Tensor, embedding: nn.Embedding | None, token_lengths: Tensor, speakers: Tensor | None
) -> Tensor:
    """States (B, T, C) with the vector of each row's speaker (B,) added: of the first where none is named.

    A model of one speaker has no embedding, and its states stay as they are.
    """
    if embedding is None:
        return states
    speakers = torch.zeros_like(token_lengths) if speakers is None else speakers
    vectors: Tensor = embedding(speakers)
    return states + vectors[:, None, :]
