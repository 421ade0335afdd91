"""The lip reader as a whole: frozen statistics, and four clips that it learns by heart."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from speechkd.models.lipreading.characters import PAD
from speechkd.models.lipreading.config import PixelConfig, SmallFrontConfig
from speechkd.models.lipreading.reader import LipReader
from tests.models.lipreading.tiny import PAPER, SMALL, clips, tiny

TEXTS = ("abba", "baa ab", "b", "aab b")
#: How wide the mouth of each character is, in pixels.
WIDTHS = {"a": 4, "b": 10, " ": 0}


def spoken(text: str) -> Tensor:
    """Three frames per character: a bright bar on grey."""
    frames = torch.full((3 * len(text), 12, 16), 60, dtype=torch.uint8)
    for place, character in enumerate(text):
        frames[3 * place : 3 * place + 3, 4:8, : WIDTHS[character]] = 220
    return frames


def batch(model: LipReader) -> tuple[Tensor, Tensor, Tensor]:
    frames = [spoken(text) for text in TEXTS]
    tokens = [torch.tensor(model.characters.encode(text)) for text in TEXTS]
    return (
        torch.nn.utils.rnn.pad_sequence(frames, batch_first=True),
        torch.tensor([len(clip) for clip in frames]),
        torch.nn.utils.rnn.pad_sequence(tokens, batch_first=True, padding_value=PAD),
    )


@pytest.mark.parametrize("ctc", [False, True])
def test_it_learns_four_clips_and_reads_them_back(ctc: bool) -> None:
    model = tiny(front=SMALL, ctc=ctc, dropout=0.0, spread=0.1).train()
    frames, lengths, tokens = batch(model)
    optimiser = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(150):
        made = model(frames, lengths, tokens)
        loss = F.nll_loss(made.log_probs.flatten(0, 1), tokens.flatten(), ignore_index=PAD)
        if made.ctc is not None:
            characters = [model.characters.encode(text)[:-1] for text in TEXTS]
            targets = torch.tensor([number for text in characters for number in text])
            sizes = torch.tensor([len(text) for text in characters])
            loss = loss + F.ctc_loss(made.ctc.transpose(0, 1), targets, lengths, sizes, blank=PAD)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    model.eval()
    memory = model.encode(frames, lengths)
    for written in (model.greedy(memory), model.beam(memory, width=3)):
        assert tuple(model.characters.decode(row.tolist()) for row in written.tokens) == TEXTS
    if ctc:
        best = model.frame_log_probs(memory).argmax(dim=-1)
        collapsed = [torch.unique_consecutive(row[:n]).tolist() for row, n in zip(best, lengths, strict=True)]
        assert tuple(model.characters.decode(row) for row in collapsed) == TEXTS


@pytest.mark.parametrize("front", [SMALL, PAPER], ids=lambda front: front.kind)
def test_frozen_statistics_stay(front: object) -> None:
    """In training mode too, set before or after; nothing but the statistics is frozen."""
    model = tiny(front=front)
    tokens = torch.tensor([[3, 2], [4, 2]])

    def moved() -> bool:
        before = {name: value.clone() for name, value in model.named_buffers()}
        model(*clips([6, 3]), tokens)
        return any(not torch.equal(before[name], value) for name, value in model.named_buffers())

    assert not moved()
    model.train()
    assert moved()
    model.freeze_batch_norm()
    assert model.training and not moved()
    model.eval().train()
    assert model.training and not moved()
    model(*clips([6, 3]), tokens).log_probs[:, :, 2].sum().backward()
    assert model.front.first.norm.weight.grad.abs().sum() > 0


def test_a_frozen_reader_reads_one_clip_as_in_a_batch() -> None:
    """What fine-tuning with a batch of one needs: in training mode the clip's own statistics would change it."""
    model = tiny(dropout=0.0).train()
    frames, lengths = clips([6, 6])
    assert not torch.allclose(model.encode(frames, lengths).states[:1], model.encode(frames[:1], lengths[:1]).states)
    model.freeze_batch_norm()
    torch.testing.assert_close(model.encode(frames, lengths).states[:1], model.encode(frames[:1], lengths[:1]).states)


def test_shrunk_frames_are_frames_of_averages() -> None:
    """A reader that shrinks sees the same as one that is shown the averages."""
    small = SmallFrontConfig(channels=3, rows=2, columns=2, size=10)
    shrinking = tiny(front=small.model_copy(update={"pixels": PixelConfig(shrink=2)}))
    plain = tiny(front=small)
    frames, lengths = clips([5])
    averages = frames.float().unflatten(3, (8, 2)).unflatten(2, (6, 2)).mean(dim=(3, 5))
    torch.testing.assert_close(shrinking.encode(frames, lengths).states, plain.encode(averages, lengths).states)
