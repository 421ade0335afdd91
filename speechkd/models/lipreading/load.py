"""A lip reader as a folder: model.json rebuilds it, model.safetensors fills it. And reading with it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from speechkd.errors import DataError
from speechkd.models.lipreading.config import CONFIG, KIND, read_config, unreadable
from speechkd.models.lipreading.network import LipReader
from speechkd.models.lipreading.search import beam

WEIGHTS = "model.safetensors"


def save_model(folder: Path, model: LipReader) -> None:
    """Write a lip reader into an existing folder."""
    content = {"model": KIND, "config": model.config.model_dump(mode="json")}
    (folder / CONFIG).write_text(json.dumps(content, indent=1, sort_keys=True), encoding="utf-8")
    save_file({name: value.contiguous() for name, value in model.state_dict().items()}, folder / WEIGHTS)


def load_model(folder: Path) -> LipReader:
    """Read what `save_model` wrote, in evaluation mode. ArtifactError when it cannot be read."""
    model = LipReader(read_config(folder))
    try:
        model.load_state_dict(load_file(folder / WEIGHTS))
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, SafetensorError) as error:
        raise unreadable(folder, error) from error
    return model.eval()


@dataclass(frozen=True)
class ReadWord:
    """A word, the mean probability of its characters, and the frames (from, to; both included) that it was read from.

    The frames are where the attention of its first and of its last character has its centre; None where attention
    jumped back, and says nothing about time.
    """

    word: str
    confidence: float
    start_frame: int | None
    end_frame: int | None


@dataclass(frozen=True)
class Reading:
    """What was read from a clip."""

    text: str
    words: tuple[ReadWord, ...]


class Reader:
    """A lip reader at work: crops in, text out."""

    def __init__(self, model: LipReader, beam_width: int = 5) -> None:
        self.model, self.beam_width = model, beam_width

    @property
    def crop_size(self) -> tuple[int, int]:
        """Height and width of the frames that it reads."""
        return self.model.config.crop.height, self.model.config.crop.width

    def read(self, frames: npt.NDArray[np.uint8]) -> Reading:
        """The text of grey frames (T, H, W) of the crop's size, by beam search. DataError for other frames."""
        self._check(frames)
        clip = torch.from_numpy(np.ascontiguousarray(frames))[None]
        with torch.inference_mode():
            memory = self.model.encode(clip, torch.tensor([len(frames)]))
            symbols = beam(self.model, memory, self.beam_width).symbols[:, :1]
            logs, attention = self.model.attend(memory, symbols)
        text = self.model.characters.decode(symbols[0, 0].tolist())
        words = _words(text, logs[0, 0].exp(), centres(attention[0, 0]))
        return Reading(" ".join(word.word for word in words), words)

    def _check(self, frames: npt.NDArray[np.uint8]) -> None:
        if frames.dtype != np.uint8 or frames.ndim != 3 or frames.shape[1:] != self.crop_size or not len(frames):
            raise DataError(
                "these frames cannot be read",
                why=f"{frames.dtype} of the shape {frames.shape}; the model reads uint8 (T, {self.crop_size[0]}, "
                f"{self.crop_size[1]})",
                todo="Crop the mouth to the model's size",
            )


def load_reader(folder: Path, beam_width: int = 5) -> Reader:
    """The lip reader in a folder. ArtifactError when it cannot be read."""
    return Reader(load_model(folder), beam_width)


def centres(attention: Tensor) -> Tensor:
    """The centre of mass (T,), in frames, of the attention (T, N) of each character."""
    return attention @ torch.arange(attention.shape[1], dtype=attention.dtype, device=attention.device)


def _words(text: str, probabilities: Tensor, places: Tensor) -> tuple[ReadWord, ...]:
    found = []
    for first, last in _spans(text):
        start, end = (round(float(places[place])) for place in (first, last))
        known = start <= end
        confidence = float(probabilities[first : last + 1].mean())
        found.append(ReadWord(text[first : last + 1], confidence, start if known else None, end if known else None))
    return tuple(found)


def _spans(text: str) -> Iterator[tuple[int, int]]:
    """The first and the last place of every word."""
    place = 0
    for word in text.split(" "):
        if word:
            yield place, place + len(word) - 1
        place += len(word) + 1
