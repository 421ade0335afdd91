"""Spelling to sound for the training loop: its batches, its loss, and how many held-out words come out right."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from recipes.tts.g2p.align import Tagged
from recipes.tts.g2p.errors import ErrorCount
from speechkd.data.batching import plan_batches
from speechkd.models.g2p.network import G2pNetwork
from speechkd.text.g2p import letter_numbers, phones_of

VALID_BATCH_LETTERS = 8192
_NO_TAG = -100


@dataclass(frozen=True)
class Batch:
    """letters (B, T + 2) with a boundary at each end, padded with 0; tags (B, T), padded with -100."""

    letters: Tensor
    tags: Tensor

    def to(self, device: torch.device) -> Batch:
        """The batch on a device."""
        return Batch(self.letters.to(device), self.tags.to(device))


class G2pTask:
    """Cross-entropy of each letter's tag, given the letters and the tag before."""

    def __init__(
        self,
        model: G2pNetwork,
        tags: Sequence[str],
        train: Sequence[Tagged],
        valid: Mapping[str, Sequence[tuple[str, ...]]],
        batch_letters: int,
        label_smoothing: float,
    ) -> None:
        self.model: nn.Module = model
        self.tags = list(tags)
        self.valid = valid
        self.batch_letters = batch_letters
        self.label_smoothing = label_smoothing
        number = {tag: i for i, tag in enumerate(tags)}
        self.examples = {
            f"{each.word} {place}": (letter_numbers(each.word), [number[tag] for tag in each.tags])
            for place, each in enumerate(train)
        }
        self.lengths = {name: len(tags) for name, (_, tags) in self.examples.items()}

    def epoch(self, seed: int, epoch: int) -> Sequence[Sequence[str]]:
        """Bucketed batches of one epoch."""
        return plan_batches(self.lengths, self.batch_letters, seed, epoch)

    def load(self, ids: Sequence[str]) -> Batch:
        """A padded batch."""
        rows = [self.examples[name] for name in ids]
        return Batch(padded([letters for letters, _ in rows], 0), padded([tags for _, tags in rows], _NO_TAG))

    def losses(self, model: nn.Module, batch: Batch, step: int = 0) -> Mapping[str, Tensor]:
        """One term: the mean over letters of the cross-entropy with smoothed targets."""
        # What is padding needs a tag to be looked up; any will do.
        logits = model(batch.letters, batch.tags.clamp(min=0))
        loss = F.cross_entropy(
            logits.float().flatten(0, 1),
            batch.tags.flatten(),
            ignore_index=_NO_TAG,
            label_smoothing=self.label_smoothing,
        )
        return {"tag": loss}

    def validate(self, model: nn.Module, device: torch.device) -> Mapping[str, float]:
        """Greedy errors on the held-out words, stress aside, against the nearest listed pronunciation."""
        count = ErrorCount(stress=False)
        lengths = {word: len(word) for word in self.valid}
        for words in plan_batches(lengths, VALID_BATCH_LETTERS, seed=0, epoch=0):
            for word, phones in zip(words, self.say(model, words, device), strict=True):
                count.add(phones, self.valid[word])
        return {"phone_error": count.phone_error, "word_error": count.word_error}

    def say(self, model: nn.Module, words: Sequence[str], device: torch.device) -> list[tuple[str, ...]]:
        """The phones of words, greedily."""
        letters = padded([letter_numbers(word) for word in words], 0).to(device)
        with torch.inference_mode():
            numbers = model.greedy(letters).tolist()  # type: ignore[operator]
        rows = (row[: len(word)] for word, row in zip(words, numbers, strict=True))
        return [tuple(phone for number in row for phone in phones_of(self.tags[number])) for row in rows]


def padded(rows: Sequence[Sequence[int]], filler: int) -> Tensor:
    """Rows of numbers side by side: (rows, longest)."""
    size = max(map(len, rows))
    return torch.tensor([[*row, *[filler] * (size - len(row))] for row in rows])
