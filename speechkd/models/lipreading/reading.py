"""What was read from a clip: the text, and for each word how sure it is and when it was said."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from speechkd.errors import DataError
from speechkd.models.lipreading.characters import Characters
from speechkd.models.lipreading.reader import LipReader


@dataclass(frozen=True)
class ReadWord:
    """One word."""

    word: str
    confidence: float  # mean probability of its characters
    start_frame: int  # where the attention of its first character is centred
    end_frame: int  # where that of its last character is: a frame of the word, not the one behind it


@dataclass(frozen=True)
class Reading:
    """One clip's text, with its words in order."""

    text: str
    words: tuple[ReadWord, ...]


class Reader:
    """Reads one clip at a time. `crop_size`: height and width of its frames in pixels."""

    def __init__(self, model: LipReader) -> None:
        self.model = model.eval()
        self.crop_size = model.config.crop_size

    @torch.inference_mode()
    def read(self, frames: NDArray[np.uint8], beam: int = 5) -> Reading:
        """The most probable text of grey frames (T, H, W); beam 1 is greedy. DataError for frames of another kind."""
        self._check(frames)
        device = next(self.model.parameters()).device
        clip = torch.tensor(frames, device=device)[None]
        memory = self.model.encode(clip, torch.tensor([len(frames)], device=device))
        tokens = self.model.beam(memory, width=beam).tokens
        made = self.model.predict(memory, tokens)
        probabilities = made.log_probs.exp().gather(-1, tokens[:, :, None])[0, :, 0]
        return reading_of(
            self.model.characters, tokens[0].tolist(), probabilities.cpu().numpy(), made.attention[0].cpu().numpy()
        )

    def _check(self, frames: NDArray[np.uint8]) -> None:
        if frames.dtype != np.uint8 or frames.ndim != 3 or frames.shape[1:] != self.crop_size or not len(frames):
            height, width = self.crop_size
            raise DataError(
                "the lip reader cannot read these frames",
                why=f"they are {frames.dtype} of shape {frames.shape}, and it reads uint8 of (T, {height}, {width})",
                todo="Cut the mouth out of the video in the size that the model was trained on",
            )


def reading_of(
    characters: Characters, tokens: list[int], probabilities: NDArray[np.float32], attention: NDArray[np.float32]
) -> Reading:
    """Written tokens (U) with their probabilities (U) and attention (U, T) as words."""
    text, centres = characters.decode(tokens), centre_frames(attention)
    words = tuple(
        ReadWord(text[first:behind], float(probabilities[first:behind].mean()), centres[first], centres[behind - 1])
        for first, behind in word_spans(text)
    )
    return Reading(text, words)


def word_spans(text: str) -> list[tuple[int, int]]:
    """Where the words of a text lie: places from the first character to behind the last."""
    spans, start = [], 0
    for word in text.split(" "):
        if word:
            spans.append((start, start + len(word)))
        start += len(word) + 1
    return spans


def centre_frames(attention: NDArray[np.float32]) -> list[int]:
    """The frame at the centre of mass of each row of attention (U, T), and never before that of an earlier row."""
    centres = attention @ np.arange(attention.shape[1]) / attention.sum(axis=1)
    frames: list[int] = np.rint(np.maximum.accumulate(centres)).astype(int).tolist()
    return frames
